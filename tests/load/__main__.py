"""`python -m tests.load`."""

from tests.load.app import main

if __name__ == "__main__":
    main()
