"""Load tests of a running node: `python -m tests.load --help`."""
