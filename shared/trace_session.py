"""A trace as whoever asks for it uses it, a command or a page: begun, read until it is over, and stopped."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from roost.shared.trace import (
    DEFAULT_LIMIT,
    DEFAULT_SECONDS,
    PollTrace,
    StartTrace,
    StopTrace,
    TraceFilter,
    TracePage,
    TraceStarted,
)
from roost.shared.trace_assembly import Assembly, Row

POLL_PERIOD: Final = 0.2
"""Seconds between two polls."""

AskBroker = Callable[[Any, Any], Awaitable[Any]]
"""Asks the broker a question, with the type of its answer: `Node.ask`, or a link's with a limit."""


class News(NamedTuple):
    """What was seen since."""

    rows: list[Row]
    """In order of time."""
    silent: tuple[str, ...]
    """Who did not answer this time."""
    lost: dict[str, int]
    """By process: how many matches more were not kept, for too many waited to be read."""
    over: str
    """Why there will be no more; empty while there may be."""


class TraceSession:
    """`async with TraceSession(ask, ...) as trace: async for news in trace: ...` stops the trace at its end."""

    def __init__(
        self,
        ask: AskBroker,
        wanted: TraceFilter = TraceFilter(),  # noqa: B008 - it is frozen
        limit: int = DEFAULT_LIMIT,
        seconds: float = DEFAULT_SECONDS,
    ) -> None:
        """`limit`: so many matches are shown; `seconds`: so long it lasts at most."""
        self.silent: tuple[str, ...] = ()
        """Who did not answer when it began."""
        self.wall = 0
        """Nanoseconds from the times of rows to those since 1970."""
        self._ask = ask
        self._start = StartTrace(wanted, limit, seconds)
        self._assembly = Assembly(limit)
        self._number = 0
        self._got: dict[str, int] = {}
        self._lost: dict[str, int] = {}
        self._wait = 0.0
        self._over = ""

    async def __aenter__(self) -> Self:
        """Begin. Raises what `ask` raises."""
        started: TraceStarted = await self._ask(self._start, TraceStarted)
        self._number, self.wall, self.silent = started.number, started.wall, started.silent
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._ask(StopTrace(self._number), bool)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> News:
        """The next news, with or without rows, until it is over. Raises what `ask` raises."""
        if self._over:
            raise StopAsyncIteration
        await asyncio.sleep(self._wait)
        page: TracePage = await self._ask(PollTrace(self._number, self._got), TracePage)
        self._wait = 0.0 if any(process.more for process in page.processes) else POLL_PERIOD
        notes = [note for process in page.processes for note in process.notes]
        rows = self._assembly.take(notes, time.monotonic_ns())
        if self._assembly.full and self._assembly.complete:
            self._over = f"{self._start.limit:,} were found"
        elif page.over:
            rows += self._assembly.rest()
            self._over = f"{self._start.seconds:g} s are over"
        return News(rows, page.silent, self._note_read(page), self._over)

    def _note_read(self, page: TracePage) -> dict[str, int]:
        """Move on, and answer what was lost since."""
        lost = {}
        for process in page.processes:
            self._got[process.process] = process.last
            more = process.lost - self._lost.get(process.process, 0)
            if more > 0:
                lost[process.process] = more
            self._lost[process.process] = process.lost
        return lost
