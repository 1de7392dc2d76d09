"""uvicorn as a worker hosts it: no signals of its own, no ten wake-ups a second."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from uvicorn import Config, Server

TICK: Final = 1.0
"""Seconds between two looks of uvicorn at its date header."""
TLS_HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds that a client has for its side of the TLS handshake."""


class HostedServer(Server):
    """A uvicorn server that is stopped by `stop`."""

    def __init__(
        self,
        config: Config,
        serves: Callable[[], None],
        https: Sequence[socket.socket] = (),
        context: ssl.SSLContext | None = None,
    ) -> None:
        """`serves` is called when connections are accepted; `https` are listeners for TLS with that context."""
        super().__init__(config)
        self._https = https
        self._context = context
        self._serves = serves
        self._stopping = asyncio.Event()
        self.serving = False
        """Whether connections are accepted."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen for http as uvicorn does, and for https beside it."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        for listener in self._https:
            server = await loop.create_server(
                self._protocol,
                sock=listener,
                ssl=self._context,
                backlog=self.config.backlog,
                ssl_handshake_timeout=TLS_HANDSHAKE_TIMEOUT,
            )
            self.servers.append(server)

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

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
