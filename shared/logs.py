"""Log lines of every Roost process: one format, to standard error."""

import logging
import sys


def log_to_stderr(name: str) -> None:
    """Begin logging as `name`, such as `worker 3`; one line for each record, tracebacks below it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(f"{name}: %(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for library in ("uvicorn", "websockets"):
        logging.getLogger(library).setLevel(logging.WARNING)
