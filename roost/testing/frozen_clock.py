"""A loop's clock that stands still until a test moves it."""

import asyncio
import math
from typing import Final

MAX_TURNS: Final = 10_000
"""Turns of the loop after which something is said to run for ever."""


class FrozenClock:
    """Takes the place of an asyncio loop's clock: timers, sleeps and time-outs wait until `advance` comes to them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Raises TypeError for a loop whose clock cannot be replaced, as uvloop's."""
        if not isinstance(loop, asyncio.BaseEventLoop):
            raise TypeError(
                f"the clock of {type(loop).__name__} cannot be moved by tests: run these tests on asyncio's own loop"
            )
        self._loop = loop
        self._now = 0.0
        self._resolution: float = loop._clock_resolution  # type: ignore[attr-defined]  # noqa: SLF001
        self._set(loop.time())
        loop.time = self.now  # type: ignore[method-assign]

    def now(self) -> float:
        """The time, in seconds."""
        return self._now

    def thaw(self) -> None:
        """Give the loop its own clock back."""
        del self._loop.time
        self._loop._clock_resolution = self._resolution  # type: ignore[attr-defined]  # noqa: SLF001

    async def settle(self) -> None:
        """Let everything happen that happens without time passing. Raises RuntimeError if that does not end."""
        idle = 0
        for _ in range(MAX_TURNS):
            await asyncio.sleep(0)
            idle = idle + 1 if not self._loop._ready else 0  # type: ignore[attr-defined]  # noqa: SLF001
            if idle == 2:
                return
        raise RuntimeError(f"after {MAX_TURNS} turns of the loop something still goes on: does a handler call itself?")

    async def advance(self, seconds: float) -> None:
        """Let time pass: what is due on the way happens in its order, each at its own time."""
        await self.settle()
        end = self._now + seconds
        while (due := self.next_due()) is not None and due <= end:
            self._set(max(self._now, due))
            await self.settle()
        self._set(end)
        await self.settle()

    def next_due(self) -> float | None:
        """When the next timer is due; None if none waits."""
        timers = self._loop._scheduled  # type: ignore[attr-defined]  # noqa: SLF001
        return min((timer.when() for timer in timers if not timer.cancelled()), default=None)

    def _set(self, now: float) -> None:
        """The loop calls what is due within its resolution: here that is now, and nothing that is due a moment later.

        Else who looks at the clock when called finds that it is not time yet, and asks to be called again, for ever.
        """
        self._now = now
        self._loop._clock_resolution = math.ulp(now)  # type: ignore[attr-defined]  # noqa: SLF001
