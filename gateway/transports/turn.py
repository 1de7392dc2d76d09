"""One turn of a worker's loop: what is collected in it leaves at its end. No decisions here."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from roost.gateway.inspection.traffic import Traffic


class Flushable(Protocol):
    """Something that has collected frames."""

    def flush(self) -> None:
        """Write what was collected."""


class Turn:
    """Calls `at_end` once for each turn in which `wake` was called, then writes what transports have collected."""

    __slots__ = ("_awake", "_collected", "_loop", "at_end", "traffic")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._awake = False
        self._collected: list[Flushable] = []
        self.at_end: Callable[[], None] = lambda: None
        self.traffic = Traffic()
        """What all turns have brought and taken so far."""

    def wake(self) -> None:
        """Something is to be done at the end of this turn."""
        if not self._awake:
            self._awake = True
            self._loop.call_soon(self._end)

    def collect(self, transport: Flushable) -> None:
        """A transport has collected its first frame in this turn."""
        self._collected.append(transport)
        if not self._awake:
            self.wake()

    def flush(self) -> None:
        """Write all that was collected so far."""
        while self._collected:
            collected, self._collected = self._collected, []
            for transport in collected:
                transport.flush()

    def _end(self) -> None:
        self._awake = False
        self.at_end()
        self.flush()
