"""What happens in a worker, as typed events that code can attach to: Phoenix's telemetry events, and some of our own.

Names, moments and metadata are those of Phoenix 1.8. Durations are seconds. While nobody is attached to an event it is
not even made, and no clock is read for it.
"""

import inspect
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from roost.gateway.payloads import InvalidPayload, read_any
from roost.shared.serializer import Payload

if TYPE_CHECKING:
    from roost.gateway.channel import Channel
    from roost.gateway.connect.connect_info import ConnectInfo
    from roost.gateway.endpoint import Endpoint
    from roost.gateway.socket import Socket

E = TypeVar("E", bound="Event")
Result = Literal["ok", "error"]

_log = logging.getLogger("roost.telemetry")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened."""


@dataclass(frozen=True, kw_only=True)
class EndpointInit(Event):
    """A worker begins to serve the endpoint (`[:phoenix, :endpoint, :init]`)."""

    system_time: float
    """Seconds since 1970."""
    endpoint: "Endpoint"
    worker: int


@dataclass(frozen=True, kw_only=True)
class SocketConnected(Event):
    """A socket's `connect` answered (`[:phoenix, :socket_connected]`); not after an exception or a wrong version."""

    duration: float
    result: Result
    endpoint: "Endpoint"
    user_socket: "type[Socket]"
    socket: "Socket"
    transport: str
    """`websocket` or `longpoll`."""
    vsn: str
    serializer: str
    params: Mapping[str, Any] = field(repr=False)
    connect_info: "ConnectInfo" = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SocketDrain(Event):
    """A worker that leaves or is drained sends a batch away (`[:phoenix, :socket_drain]`). Counts are connections."""

    count: int
    total: int
    index: int
    """Of the batch, from 1."""
    rounds: int
    endpoint: "Endpoint"
    interval: float
    """Seconds between batches."""


@dataclass(frozen=True, kw_only=True)
class _WithPayload(Event):
    payload: Payload = field(repr=False)
    """As the client sent it: JSON text, or binary data."""
    channel: "Channel[Any]"

    @cached_property
    def params(self) -> Any:
        """The payload as plain data, read when it is first asked for; None if it cannot be read."""
        try:
            return read_any(self.payload)
        except InvalidPayload:
            return None


@dataclass(frozen=True, kw_only=True)
class ChannelJoined(_WithPayload):
    """A channel let a client in or refused it (`[:phoenix, :channel_joined]`); not after an exception."""

    duration: float
    """From `join` until the subscription stood, or until the refusal."""
    result: Result


@dataclass(frozen=True, kw_only=True)
class ChannelHandledIn(_WithPayload):
    """A channel handled an event of its client (`[:phoenix, :channel_handled_in]`); not after an exception.

    What it answered has not been looked at yet, so nothing has been sent.
    """

    duration: float
    ref: Any
    event: Any

    @cached_property
    def fan_out(self) -> int:
        """Subscribers of the topic in this worker that are of the same shard and speak alike: the channel's own
        audience, as the last broadcast knew it; 0 before the first.
        """
        subscription = self.channel._process.subscription  # noqa: SLF001 - it is no application's business
        return 0 if subscription is None else subscription.fan_out


@dataclass(frozen=True, kw_only=True)
class ShardMapChanged(Event):
    """The shard map changed, or the epoch in which this worker publishes."""

    worker: int
    epoch: int
    """In which this worker publishes."""


@dataclass(frozen=True, kw_only=True)
class ClientTooSlow(Event):
    """A client was disconnected for reading too slowly."""

    socket: "Socket"
    waiting: int
    """Bytes that waited for it."""


@dataclass(frozen=True, kw_only=True)
class NodeUp(Event):
    """Another node of the cluster is there; told once in each worker that serves."""

    node: str


@dataclass(frozen=True, kw_only=True)
class NodeDown(Event):
    """Another node of the cluster has gone, or was not heard for too long; told once in each worker that serves."""

    node: str


@dataclass(frozen=True, kw_only=True)
class MessagesLost(Event):
    """What was broadcast on another node did not get here; told once in each worker that serves."""

    node: str
    """Where it was broadcast."""
    lost: int | None
    """How many broadcasts; None if nobody can know."""


EVENTS: Final[tuple[type[Event], ...]] = (
    EndpointInit,
    SocketConnected,
    SocketDrain,
    ChannelJoined,
    ChannelHandledIn,
    ShardMapChanged,
    ClientTooSlow,
    NodeUp,
    NodeDown,
    MessagesLost,
)

Handler = Callable[[Any], object]


class Telemetry:
    """The handlers of one endpoint, in this worker."""

    __slots__ = ("attached", "clock")

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        """Seconds; durations are differences of it."""
        self.attached: dict[type[Event], tuple[Handler, ...]] = {}
        """Handlers by event; an event that nobody is attached to is not in it."""

    def attach(self, event: type[E], handler: Callable[[E], object]) -> None:
        """Have a plain function called with each such event, at once: what it takes, the clients wait.

        A handler that raises is detached, and that is logged once. Raises TypeError, ValueError if it is attached.
        """
        if event not in EVENTS:
            names = ", ".join(known.__name__ for known in EVENTS)
            raise TypeError(f"{event!r} is no event; there are {names}")
        given: object = handler
        if not callable(given) or inspect.iscoroutinefunction(handler):
            raise TypeError(f"a handler is a plain function that takes an event, {handler!r} is not one")
        handlers = self.attached.get(event, ())
        if handler in handlers:
            raise ValueError(f"{handler!r} is attached to {event.__name__} already")
        self.attached[event] = (*handlers, handler)

    def detach(self, event: type[E], handler: Callable[[E], object]) -> None:
        """End what `attach` began. One that is not attached, because it raised perhaps, is no matter."""
        left = tuple(other for other in self.attached.get(event, ()) if other != handler)
        if left:
            self.attached[event] = left
        else:
            self.attached.pop(event, None)

    def emit(self, event: Event) -> None:
        """Hand an event to its handlers, in the order in which they were attached."""
        kind = type(event)
        for handler in self.attached.get(kind, ()):
            try:
                handler(event)
            except Exception:  # noqa: BLE001 - the boundary at which a handler fails
                self.detach(kind, handler)
                _log.exception("a handler of %s raised and is detached: %r", kind.__name__, handler)
