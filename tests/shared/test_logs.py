"""Log lines of every process, as they reach standard error."""

import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.logs import JsonLines, TextLines
from tests.limits import LIMIT
from tests.shared.processes import ROOT

SCRIPT = """
import logging, sys
from roost.shared.config import LogSettings
from roost.shared.logs import log_to_stderr
log_to_stderr("worker 3", LogSettings(*sys.argv[1:]))
log = logging.getLogger("roost.a")
for level in ("debug", "info", "warning", "error"):
    getattr(log, level)("a line at %s", level)
for library in ("websockets.server", "uvicorn.error", "asyncio"):
    logging.getLogger(library).info("what a client sent")
log.error("with details", extra={"details": {"Parameters": "{}"}, "fields": {"n": 1, "process": "me"}})
try:
    1 / 0
except ZeroDivisionError:
    log.exception("a crash")
log.error("half a \\udc80 character")
"""


def logged(level: str, form: str) -> list[str]:
    """What a process prints that logs by these settings."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, level, form],
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=True,
    )  # fmt: skip
    return ended.stderr.splitlines()


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(level: str, lines: int) -> None:
    """Libraries that would tell what clients sent are heard at no level."""
    printed = logged(level, "text")
    assert sum("a line at" in line for line in printed) == lines
    assert not any("what a client sent" in line for line in printed)


def test_text() -> None:
    printed = logged("error", "text")
    assert printed[:3] == ["worker 3: ERROR: a line at error", "worker 3: ERROR: with details", "  Parameters: {}"]
    assert "worker 3: ERROR: a crash" in printed
    assert "ZeroDivisionError: division by zero" in printed
    assert printed[-1] == "worker 3: ERROR: half a \\udc80 character"


def test_json_is_one_object_a_line() -> None:
    line, details, crash, half = (json.loads(line) for line in logged("error", "json"))
    assert (line["level"], line["logger"], line["process"]) == ("error", "roost.a", "worker 3")
    assert line["message"] == "a line at error"
    assert (details["parameters"], details["n"], details["process"]) == ("{}", 1, "worker 3")
    assert crash["exception"].endswith("ZeroDivisionError: division by zero")
    assert half["message"] == "half a \udc80 character"


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.binary()))
def test_whatever_is_logged_is_one_line_of_json(name: str, message: str, fields: dict[str, object]) -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": (message,), "fields": fields, "levelno": 20})
    line = JsonLines(name).format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == message
    assert TextLines(name).format(record).startswith(f"{name}: ")
