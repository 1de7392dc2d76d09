"""Log lines of every Roost process, to standard error: lines for people, or JSON objects for machines."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final

from roost.shared.config import LogSettings

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
QUIET: Final = ("asyncio", "uvicorn", "websockets")
"""Libraries that are heard only when something is wrong, at every level: below that they tell what clients send."""

DETAILS: Final = "details"
"""`extra` of a record: what stands on lines of its own below the message, by name."""
FIELDS: Final = "fields"
"""`extra` of a record: further values of the object that is written in JSON."""


def log_to_stderr(name: str, settings: LogSettings) -> None:
    """Begin logging as `name`, such as `worker 3`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(name) if settings.format == "json" else TextLines(name))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[settings.level])
    for library in QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """One line for each record; details and tracebacks stand below it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name.replace('%', '%%')}: %(levelname)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        details: dict[str, str] = getattr(record, DETAILS, {})
        return "\n".join([super().format(record), *(f"  {name}: {text}" for name, text in details.items())])


class JsonLines(logging.Formatter):
    """One JSON object for each record, on one line."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": self._name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        fields = getattr(record, FIELDS, {}) | {
            name.lower(): text for name, text in getattr(record, DETAILS, {}).items()
        }
        line |= {name: value for name, value in fields.items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
