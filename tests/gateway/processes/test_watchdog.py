"""A blocked loop is noticed, once, and the application's line is named."""

import asyncio
import logging
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest
import uvloop

from roost.gateway.processes import watchdog
from roost.gateway.processes.watchdog import Call, Watchdog, culprit, stack
from tests.limits import LIMIT

BLOCKED_LIMIT = 0.5
"""Seconds in which even a busy machine lets a loop that is not blocked answer."""
LIBRARY = sysconfig.get_path("stdlib")
PACKAGES = sysconfig.get_path("purelib")

HANDLER = Call("chat", "RoomChannel.new_msg", "/srv/chat.py", 12)
HELPER = Call("chat.database", "fetch", "/srv/chat/database.py", 34)
CLIENT = Call("requests.api", "get", f"{PACKAGES}/requests/api.py", 73)
SOCKET = Call("ssl", "SSLSocket.read", f"{LIBRARY}/ssl.py", 1107)
RUNNER = Call("roost.gateway.clients.eager", "Runner.run", "/opt/roost/gateway/clients/eager.py", 47)
DELIVERY = Call("roost.shared.peer.delivery", "Delivery.deliver", "/opt/roost/shared/peer/delivery.py", 129)
BOTTOM = (RUNNER, DELIVERY)


class Heard(logging.Handler):
    """Says when something was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.some = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.some.set()


@pytest.mark.parametrize(
    ("calls", "blamed"),
    [
        ((HANDLER, *BOTTOM), HANDLER),
        ((SOCKET, CLIENT, HELPER, HANDLER, *BOTTOM), HELPER),
        ((RUNNER, HANDLER, *BOTTOM), HANDLER),
        ((SOCKET, CLIENT, *BOTTOM), CLIENT),
        ((SOCKET, *BOTTOM), SOCKET),
        (BOTTOM, None),
        ((), None),
    ],
    ids=["handler", "what it calls", "by way of ours", "an installed application", "library", "ours", "nothing"],
)
def test_the_applications_innermost_call_is_blamed(calls: tuple[Call, ...], blamed: Call | None) -> None:
    assert culprit(calls) == blamed


def test_a_stack_names_functions_with_their_classes() -> None:
    class Inner:
        def look(self) -> list[Call]:
            return stack(sys._getframe())

    first, second, *_ = Inner().look()
    assert first.function.endswith("Inner.look")
    assert second.function == "test_a_stack_names_functions_with_their_classes"
    assert (second.module, second.file) == (__name__, __file__)


def test_what_runs_the_loop_is_not_to_blame() -> None:
    async def look() -> list[Call]:
        return stack(sys._getframe())

    for run in (uvloop.run, asyncio.run):
        inner, *_ = calls = run(look())
        assert inner.function.endswith("look")
        assert not {call.function for call in calls} & {"run", "Runner.run", "main"}


async def test_a_loop_busy_with_our_own_work_is_said_to_have_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "PERIOD", 0.01)
    monkeypatch.setattr(watchdog, "BLOCKED_LIMIT", 0.1)
    monkeypatch.setattr(watchdog, "_OURS", (__name__, "asyncio."))
    heard = Heard()
    logging.getLogger("roost.watchdog").addHandler(heard)
    watching = Watchdog(asyncio.get_running_loop())
    watching.start()
    began = time.monotonic()
    try:
        while not heard.lines and time.monotonic() < began + LIMIT:
            pass
    finally:
        watching.close()
        logging.getLogger("roost.watchdog").removeHandler(heard)
    assert "the loop has been busy for 0.1 s with its own work: this worker has more to do" in heard.lines[0]


async def test_a_blocked_loop_is_said_once_with_file_and_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "PERIOD", 0.01)
    monkeypatch.setattr(watchdog, "BLOCKED_LIMIT", BLOCKED_LIMIT)
    monkeypatch.chdir(Path(__file__).parents[2])
    heard = Heard()
    logging.getLogger("roost.watchdog").addHandler(heard)
    watching = Watchdog(asyncio.get_running_loop())
    watching.start()
    try:
        for times in (1, 2):
            heard.some.clear()
            assert heard.some.wait(LIMIT)  # this blocks the loop
            time.sleep(2 * BLOCKED_LIMIT)
            assert len(heard.lines) == times
            await asyncio.to_thread(watching._answered.wait, LIMIT)
    finally:
        watching.close()
        logging.getLogger("roost.watchdog").removeHandler(heard)
    assert watching.lag.measured().total > 2 * BLOCKED_LIMIT
    assert "the loop has been blocked for 0.5 s by gateway/processes/test_watchdog.py:" in heard.lines[0]
    assert "in test_a_blocked_loop_is_said_once_with_file_and_line: use an async library" in heard.lines[0]
