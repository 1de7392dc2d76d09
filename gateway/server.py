"""uvicorn as a worker hosts it: no signals of its own, no ten wake-ups a second."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from uvicorn import Config, Server

TICK: Final = 1.0
"""Seconds between two looks of uvicorn at its date header."""


class HostedServer(Server):
    """A uvicorn server that is stopped by `stop`."""

    def __init__(self, config: Config, serves: Callable[[], None]) -> None:
        """`serves` is called when connections are accepted."""
        super().__init__(config)
        self._serves = serves
        self._stopping = asyncio.Event()
        self.serving = False
        """Whether connections are accepted."""

    def stop_accepting(self) -> None:
        """Take no new connections; those that there are go on."""
        self.serving = False
        for server in self.servers:
            server.close()

    def stop(self) -> None:
        """Stop accepting, finish requests under way, end the application's lifespan; then `serve` returns."""
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the supervisor's."""
        yield

    async def main_loop(self) -> None:
        """Wait to be stopped; meanwhile let uvicorn renew its headers once a second, not ten times."""
        self.serving = True
        self._serves()
        counter = 0
        while not await self.on_tick(counter):
            counter += 10
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._stopping.wait()
