"""What a worker serves: the mounted sockets by path, and uvicorn for everything else."""

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import PlainTextResponse, Response
from uvicorn import Config
from uvicorn.server import ServerState

from roost.gateway.connect.socket_paths import SocketPaths
from roost.gateway.transports.entrance import Entrance
from roost.gateway.transports.handshake import Judge
from roost.gateway.transports.idle_wheel import IdleWheel
from roost.gateway.transports.long_poll import LongPolling
from roost.gateway.transports.long_poll_request import raw_path
from roost.gateway.transports.uvicorn_protocols import HttpProtocol, WebSocketProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.connect.capacity import Capacity, Place
    from roost.gateway.connect.mount import Mount, TransportOptions
    from roost.gateway.connect.proxies import TrustedProxies
    from roost.gateway.connect.socket_paths import Found
    from roost.gateway.endpoint import Endpoint

HEAD_TIMEOUT: Final = 10.0
"""Seconds that a client has for its first request's head."""


class Site:
    """The paths of one worker."""

    def __init__(
        self,
        endpoint: "Endpoint",
        runtime: "Runtime",
        capacity: "Capacity",
        proxies: "TrustedProxies | None" = None,
    ) -> None:
        self.runtime = runtime
        self.capacity = capacity
        self.proxies = proxies
        """Those whose headers say who the client is; None if nobody's are believed."""
        self.judge = Judge()
        self.leaving = False
        """Whether this worker takes no new clients."""
        self.closed = False
        """Whether everybody new is answered 503: the worker is drained."""
        self.entrances: IdleWheel[Entrance] = IdleWheel(HEAD_TIMEOUT, runtime.now())
        self._app = endpoint.app
        self._paths = _paths((mount, mount.websocket) for mount in endpoint.mounts)
        self._poll_paths = _paths((mount, mount.longpoll) for mount in endpoint.mounts)
        self._polling = LongPolling(self) if any(mount.longpoll for mount in endpoint.mounts) else None
        self._wheels: dict[float | None, IdleWheel[Any]] = {}
        self._uvicorn: tuple[Config, ServerState, dict[str, Any]] | None = None
        self._turn(self.entrances)

    # For connections

    @property
    def serves_http(self) -> bool:
        """Whether more is served than WebSockets."""
        return self._app is not None or self._polling is not None

    def find(self, path: str | None) -> "Found[Mount] | None":
        """The mount that a request's path names."""
        return self._paths.find(path)

    def idle_wheel(self, limit: float | None) -> "IdleWheel[Any]":
        """What watches those who are silent for so many seconds."""
        wheel = self._wheels.get(limit)
        if wheel is None:
            wheel = self._wheels[limit] = IdleWheel(limit, self.runtime.now())
            self._turn(wheel)
        return wheel

    def uvicorn_protocol(self, place: "Place", *, upgrading: bool) -> "asyncio.Protocol":
        """Uvicorn's own protocol, for a connection that is not ours."""
        assert self._uvicorn is not None
        protocol = (WebSocketProtocol if upgrading else HttpProtocol)(*self._uvicorn)
        protocol.place = place
        return protocol

    def leave(self) -> None:
        """The worker leaves: no new clients, and no connection that waits for a poll's window to pass."""
        self.leaving = True
        if self._polling is not None:
            self._polling.leave()

    def close(self) -> None:
        """Let nobody in, until `open`."""
        self.closed = self.leaving = True

    def open(self) -> None:
        """Let clients in."""
        self.closed = self.leaving = False

    def turns_away(self, path: str | None) -> bool:
        """Whether a request is answered 503; not polls, for sessions that there are go on until they are sent away."""
        return self.closed and not self._poll_paths.find(path)

    # For uvicorn

    def entrance(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], _loop: Any = None
    ) -> Entrance:
        """The protocol of a new connection, as uvicorn asks for it."""
        self._uvicorn = (config, server_state, app_state)
        return Entrance(self, upgrading=False)

    def upgrade(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> Entrance:  # noqa: ARG002
        """The protocol of a connection that asks for a WebSocket after other requests."""
        return Entrance(self, upgrading=True)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI app: the application's own, but for the paths of sockets."""
        path = raw_path(scope) if scope["type"] == "http" else None
        polled = self._poll_paths.find(path)
        if polled is not None and self._polling is not None:
            await self._polling.serve(polled, scope, receive, send)
        elif self.find(path):
            await Response(status_code=400)(scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            await PlainTextResponse("Not Found", 404)(scope, receive, send)

    def _turn(self, wheel: "IdleWheel[Any]") -> None:
        for connection in wheel.turn(self.runtime.now()):
            connection.silent()
        if wheel.period is not None:
            self.runtime.call_later(wheel.period, lambda: self._turn(wheel))


def _paths(served: "Iterable[tuple[Mount, TransportOptions | None]]") -> "SocketPaths[Mount]":
    """The mounts that a transport serves, by its paths."""
    return SocketPaths((mount.path + options.path, mount) for mount, options in served if options is not None)
