"""What an application makes one of: where its sockets are mounted, and what serves everything else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.calls import CALL_LIMIT, ChannelAddress
from roost.gateway.pubsub import PubSub
from roost.gateway.socket import Socket
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    from roost.gateway.runtime import Runtime

IDLE_TIMEOUT: Final = 60.0
"""Seconds after the last bytes of a client; phoenix.js sends a heartbeat every 30 s."""

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WebSocket:
    """How a socket is served over WebSocket."""

    timeout: float | None = IDLE_TIMEOUT
    """Seconds without a byte from the client after which it is disconnected; None for never."""
    path: str = "/websocket"
    """Appended to the path of the mount."""

    def __post_init__(self) -> None:
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"timeout must be more than 0 seconds, or None for never, not {self.timeout!r}")
        _check_path(self.path)


@dataclass(frozen=True, slots=True)
class Mount:
    """A socket at a path."""

    path: str
    socket: type[Socket]
    websocket: WebSocket = field(default_factory=WebSocket)

    def __post_init__(self) -> None:
        _check_path(self.path)


class Endpoint:
    """Sockets by path. Everything that is for none of them goes to `app`, an ASGI application."""

    def __init__(self, *, sockets: Mapping[str, type[Socket]] | None = None, app: AsgiApp | None = None) -> None:
        """`sockets` are mounted by path with the default options; `mount` adds others."""
        self.app = app
        self.mounts: list[Mount] = []
        self._runtime: Runtime | None = None
        self._secrets: tuple[str, ...] = ()
        for path, socket in (sockets or {}).items():
            self.mount(path, socket)

    def mount(self, path: str, socket: type[Socket], *, websocket: WebSocket | None = None) -> Mount:
        """Serve a socket below a path: `mount("/socket", UserSocket)` answers at `/socket/websocket`."""
        mount = Mount(path, socket, websocket or WebSocket())
        self.mounts.append(mount)
        return mount

    async def call(self, address: ChannelAddress, question: Any, limit: float = CALL_LIMIT) -> Any:
        """Ask a channel of the node something: what its `handle_call` returns. Plain data both ways.

        Raises CallFailed if the channel has ended or crashes, TimeoutError after `limit` seconds.
        """
        return await self.runtime.calls.call(address, question, limit)

    async def broadcast(self, topic: str, event: str, payload: Any) -> None:
        """Send an event to all subscribers of a topic, from anywhere in a worker. The payload is a dict or the like."""
        form, data = encode_broadcast(topic, event, payload)
        await self.runtime.publish(application_topic(topic), form, event, data)

    @property
    def pubsub(self) -> PubSub:
        """Messages between code of this node, by topic."""
        return PubSub(self.runtime)

    @property
    def runtime(self) -> "Runtime":
        """The worker that serves this endpoint. Raises RuntimeError outside one."""
        if self._runtime is None:
            raise RuntimeError("the endpoint is not being served: this works in a worker, after `roost gateway` began")
        return self._runtime

    @property
    def secrets(self) -> tuple[str, ...]:
        """The node's secrets: keys of what is made are derived from the first. Raises RuntimeError outside a worker."""
        _ = self.runtime
        return self._secrets

    def serve(self, runtime: "Runtime", secrets: tuple[str, ...] = ()) -> None:
        """Be served by a worker."""
        self._runtime = runtime
        self._secrets = secrets


def _check_path(path: str) -> None:
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"a path begins with / and does not end with it, {path!r} is not one")
