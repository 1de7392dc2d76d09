"""A thread that notices when the worker's loop is blocked, and says once by whose code.

It asks the loop twice a second to answer, and looks at the loop's stack when no answer comes. What holds Python's
global lock, such as a long regular expression, holds up this thread too: then the word comes late or never.
"""

import asyncio
import logging
import sys
import sysconfig
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from roost.shared.histogram import SECONDS, Histogram

BLOCKED_LIMIT: Final = 1.0
"""Seconds without an answer after which the loop is called blocked."""
PERIOD: Final = 0.5
"""Seconds between two questions."""
_SLICES: Final = 4
"""The limit is waited for in so many slices: a process that was suspended meanwhile has lost only one of them."""
_OURS: Final = ("roost.", "__main__")
_PACKAGES: Final = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
# Without a virtual environment the packages are below the library.
_LIBRARY: Final = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<")

_LOOPS: Final = ("asyncio.", "uvloop")
"""Whose `run` calls everything that the loop does."""
_TOO_MUCH: Final = "this worker has more to do than its core can; `roost status` shows what would help"

_log = logging.getLogger("roost.watchdog")


class Call(NamedTuple):
    """One call under way."""

    module: str
    function: str
    """With its class, as in `RoomChannel.new_msg`."""
    file: str
    line: int


class Watchdog:
    """Watches the loop of the thread that makes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()
        self._answered = threading.Event()
        self._closed = threading.Event()
        self.lag = Histogram(SECONDS)
        """Seconds that the loop took to answer."""

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Watch no longer. To be called before the loop closes."""
        self._closed.set()
        self._answered.set()

    def _watch(self) -> None:
        while not self._closed.wait(PERIOD):
            self._answered.clear()
            try:
                self._loop.call_soon_threadsafe(self._answer, time.monotonic())
            except RuntimeError:
                return  # the loop is closed
            if not any(self._answered.wait(BLOCKED_LIMIT / _SLICES) for _ in range(_SLICES)):
                self._complain()
                self._answered.wait()

    def _answer(self, asked: float) -> None:
        self.lag.observe(time.monotonic() - asked)
        self._answered.set()

    def _complain(self) -> None:
        frame = sys._current_frames().get(self._thread)  # noqa: SLF001 - there is no other way to see a thread's stack
        call = culprit(stack(frame))
        if call is None:
            _log.warning("the loop has been busy for %.1f s with its own work: %s", BLOCKED_LIMIT, _TOO_MUCH)
        else:
            _log.warning(
                "the loop has been blocked for %.1f s by %s:%d in %s: use an async library or asyncio.to_thread",
                BLOCKED_LIMIT,
                _short(call.file),
                call.line,
                call.function,
            )


def stack(frame: FrameType | None) -> list[Call]:
    """The calls under way within the loop, the innermost first."""
    calls = []
    while frame is not None:
        code, module = frame.f_code, frame.f_globals.get("__name__") or ""
        if code.co_name == "run" and module.startswith(_LOOPS):
            break
        calls.append(Call(module, code.co_qualname, code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return calls


def culprit(calls: Sequence[Call]) -> Call | None:
    """The call to blame: the application's innermost, else a package's, else the library's; None if all are ours."""
    foreign = [call for call in calls if not call.module.startswith(_OURS)]
    packages = [call for call in foreign if call.file.startswith(_PACKAGES)]
    own = [call for call in foreign if not call.file.startswith((*_PACKAGES, *_LIBRARY))]
    return next(iter((*own, *packages, *foreign)), None)


def _short(file: str) -> str:
    """A path below the working directory, as a person would type it there."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
