"""What an application derives from for WebSockets without channels: messages in, messages out."""

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Final

from roost.gateway.connect.connect_info import ConnectInfo
from roost.gateway.events import check_callback
from roost.gateway.replies import Error, Ok
from roost.shared.frames import CloseCode

if TYPE_CHECKING:
    from roost.gateway.clients.channel_extras import Timer
    from roost.gateway.clients.raw_connection import RawConnection
    from roost.gateway.connect.rates import ClientRates
    from roost.gateway.endpoint import Endpoint

_CALLBACKS: Final = {
    "connect": ("params", "info"),
    "opened": (),
    "handle_in": ("data",),
    "handle_control": ("kind", "payload"),
    "handle_info": ("message",),
    "terminate": ("reason",),
}
"""Methods that Roost calls, with what they are given."""


class RawSocket:
    """One connection, mounted as a `Socket` is. Its methods run one at a time; what comes meanwhile waits.

    What crashes in one of them is logged and closes the connection with 1011.
    """

    endpoint: "Endpoint"
    """The endpoint that serves this socket."""
    number: int
    """Names the connection within its worker, and is never used again."""
    rates: "ClientRates | None" = None
    """How often its client may do things, if its mount limits that. Not to be set."""
    id: str | None = None
    """Set in `connect`, names all sockets of, say, one user: a broadcast of `disconnect` on this topic closes them."""
    log: ClassVar[int | None] = logging.DEBUG
    """At which level the log tells who connects; None for never."""
    routes: ClassVar[tuple[Any, ...]] = ()
    """It has no channels."""
    wants_controls: ClassVar[bool] = False
    """Whether the class has a `handle_control`."""
    _connection: "RawConnection"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, given in _CALLBACKS.items():
            check_callback(cls, name, *given)
        cls.wants_controls = cls.handle_control is not RawSocket.handle_control

    # For an application to override

    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        """Whether the client may connect: `Ok()`, or `Error()`, which is answered 403 unless it has another status."""
        del params, info
        return Ok()

    async def opened(self) -> None:
        """The client is connected: from now on it can be sent messages."""

    async def handle_in(self, data: str | bytes) -> None:
        """A text message (a `str`) or a binary one (`bytes`) of the client."""

    async def handle_control(self, kind: str, payload: bytes) -> None:
        """A `ping` of the client, which has been answered already, or a `pong`."""

    async def handle_info(self, message: Any) -> None:
        """A message of a topic that was subscribed to (plain data, or a `Broadcast`), or one of `send_after`."""

    async def terminate(self, reason: str | BaseException) -> None:
        """The connection is over: why, as channels hear it, or what crashed. Nothing can be sent any more."""

    # For an application to call

    async def send(self, data: str | bytes) -> None:
        """Send a text or a binary message, after all that was sent before. To one who is gone it goes nowhere."""
        self._connection.send(data)

    async def ping(self, payload: bytes = b"") -> None:
        """Send a ping; the client's pong comes to `handle_control`. Raises ValueError beyond 125 bytes."""
        self._connection.ping(payload)

    async def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Close the connection. Raises ValueError for what RFC 6455 forbids: 1005, say, or a reason over 123 bytes."""
        self._connection.close_with(code, reason)

    async def subscribe(self, topic: str) -> None:
        """Subscribe to a topic, its messages come to `handle_info`; returns when the subscription stands."""
        await self._connection.subscribe(topic)

    async def unsubscribe(self, topic: str) -> None:
        """End a subscription, if there is one."""
        self._connection.unsubscribe(topic)

    def send_after(self, seconds: float, message: Any) -> "Timer":
        """Have `handle_info` called with a message after so many seconds. What is returned can be cancelled."""
        return self._connection.send_after(seconds, message)
