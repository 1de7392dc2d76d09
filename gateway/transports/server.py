"""uvicorn as a worker hosts it: no signals of its own, no ten wake-ups a second, no connection lost when it leaves."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from uvicorn import Config, Server

TICK: Final = 1.0
"""Seconds between two looks of uvicorn at its date header."""
Listener = tuple[socket.socket, ssl.SSLContext | None]
"""A listening socket, and what TLS on it is done with."""
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
        self.servers = []
        self._serves = serves
        self._stopping = asyncio.Event()
        self._listeners: list[Listener] = [(listener, context) for listener in https]
        self.arriving: set[asyncio.Task[Any]] = set()
        """Connections that were accepted at the last moment and have no protocol yet."""
        self.serving = False
        """Whether connections are accepted."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on these listeners until `stop`."""
        self._listeners = [*((listener, None) for listener in sockets or ()), *self._listeners]
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen for http as uvicorn does, and for https beside it."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        for listener, context in self._listeners[len(self.servers) :]:
            server = await loop.create_server(
                self._protocol,
                sock=listener,
                ssl=context,
                backlog=self.config.backlog,
                ssl_handshake_timeout=TLS_HANDSHAKE_TIMEOUT,
            )
            self.servers.append(server)

    def stop_accepting(self) -> None:
        """Take no new connections; those that there are go on, those too that the kernel has queued."""
        self.serving = False
        for (listener, context), server in zip(self._listeners, self.servers, strict=False):
            # The kernel resets what is queued at a listener when it closes: so nothing comes between these two.
            queued = _accept_all(listener)
            server.close()
            for connection in queued:
                self._take(connection, context)

    def end_idle(self) -> None:
        """End connections of the application's own that wait for a request; the others after their response."""
        for connection in list(self.server_state.connections):
            connection.shutdown()

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

    def _take(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        timeout = TLS_HANDSHAKE_TIMEOUT if context else None
        taking = loop.connect_accepted_socket(self._protocol, connection, ssl=context, ssl_handshake_timeout=timeout)
        task = loop.create_task(taking)
        self.arriving.add(task)
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self.arriving.discard(task)
        if not task.cancelled():
            task.exception()  # a client that has gone already is nobody's fault

    def _protocol(self) -> asyncio.Protocol:
        """The first protocol of a connection, as uvicorn makes it."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=None
        )


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    """The connections that the kernel has queued; none if the listener is closed already."""
    accepted = []
    with contextlib.suppress(OSError):
        listener.settimeout(0)
        while True:
            accepted.append(listener.accept()[0])
    return accepted
