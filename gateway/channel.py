"""What an application derives from to write a channel."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from roost.gateway.clients.calls import ChannelAddress
from roost.gateway.clients.channel_sending import LaterReply
from roost.gateway.events import EventMethod, UnknownEvent, find_event_methods, find_intercept_methods
from roost.gateway.inspection.log_lines import Level, check_level
from roost.gateway.payloads import Argument
from roost.gateway.replies import Error, Ok, Stop
from roost.gateway.socket import Socket
from roost.gateway.transports.when_slow import Declared, WhenSlow, WhenSlowRules
from roost.shared.bus import Reach
from roost.shared.serializer import check_event
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    from roost.gateway.clients.channel_extras import Timer
    from roost.gateway.clients.channel_process import ChannelProcess
    from roost.gateway.endpoint import Endpoint

S = TypeVar("S", bound=Socket)


class Channel(Generic[S]):
    """One client on one topic.

    Made when the client joins; attributes that you set are its assigns. It handles one thing at a time, in order: while
    one of its methods waits, what comes for it waits too, and nothing else does.
    """

    __slots__ = ("__dict__", "_process", "socket", "subtopic", "topic")

    when_slow: ClassVar[Declared] = WhenSlow.DISCONNECT
    """What becomes of broadcasts for a client that does not read them fast enough; also by topic pattern, as a dict:
    `{"cursors:*": WhenSlow.LATEST, "chat:*": WhenSlow.DISCONNECT}`."""

    log_join: ClassVar[Level] = logging.DEBUG
    """At which level joins are logged; None for never. (Phoenix: info, which costs a line for each join.)"""
    log_handle_in: ClassVar[Level] = logging.DEBUG
    """At which level events of clients are logged; None for never."""

    _events: ClassVar[dict[str, EventMethod]]
    _outgoing: ClassVar[dict[str, Callable[..., Any]]] = {}
    _intercepts: ClassVar[tuple[str, ...]] = ()
    _join_params: ClassVar[Argument]
    _when_slow: ClassVar[WhenSlowRules] = WhenSlowRules("Channel", WhenSlow.DISCONNECT)

    intercepts: ClassVar[tuple[str, ...]] = ()
    """Events of the topic that go through `handle_out`, beside those that methods marked with @intercept take."""

    sends: ClassVar[Mapping[str, Any]] = {}
    """Events that its client is sent, each with the type of its payload, for `roost schema`; nothing is checked."""

    socket: S
    """The connection's socket, as `connect` left it."""
    topic: str
    subtopic: str
    """What the `*` of the route's pattern matched."""
    _process: "ChannelProcess"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._events = find_event_methods(cls)
        cls._outgoing = find_intercept_methods(cls)
        declared: Any = cls.intercepts
        if isinstance(declared, str):
            raise TypeError(f"{cls.__name__}.intercepts lists events: write ({declared!r},)")
        for intercepted in declared:
            check_event(intercepted)
        cls._intercepts = tuple(sorted({*cls._outgoing, *cls.intercepts}))
        cls._join_params = Argument(cls.join)
        cls._when_slow = WhenSlowRules(cls.__name__, cls.when_slow)
        check_level(cls.__name__, "log_join", cls.log_join)
        check_level(cls.__name__, "log_handle_in", cls.log_handle_in)

    @classmethod
    def all_intercepts(cls) -> tuple[str, ...]:
        """Events of the topic that its code sees before its client does."""
        return cls._intercepts

    @classmethod
    def event_methods(cls) -> Mapping[str, EventMethod]:
        """The methods marked with @event, by event."""
        return cls._events

    # What an application writes

    async def join(self, params: Any) -> Ok | Error:
        """Whether the client may join: `Ok(reply)` or `Error(reason)`. By default everybody may.

        `params` is whatever JSON value the client sent; annotate it as event methods annotate payloads.
        """
        del params
        return Ok()

    async def joined(self) -> None:
        """The client has been told that it joined; the place for first pushes, where Phoenix uses `:after_join`."""

    async def handle_in(self, event: str, payload: Any) -> Any:
        """An event that has no method of its own. Answers as event methods do. By default it is a bug."""
        del payload
        raise UnknownEvent(type(self), event)

    async def handle_info(self, message: Any) -> Stop | None:
        """A message from code: a timer's, or one of a topic that it subscribes to. By default it is logged."""
        self._process.log_unexpected(message)
        return None

    async def handle_out(self, event: str, payload: Any) -> Stop | None:
        """A broadcast of the topic whose event is among `intercepts`; the client sees only what you push."""
        del payload
        raise UnknownEvent(type(self), event)

    async def handle_call(self, question: Any) -> Any:
        """What `endpoint.call` asks this channel. Answers plain data. By default it is a bug."""
        del question
        raise TypeError(f"{type(self).__name__} was asked a question and has no handle_call")

    async def terminate(self, reason: str | BaseException) -> None:
        """The channel ends: `left`, a Stop's reason, what was raised; or why its connection is over.

        That is `closed` (the client has gone), `disconnected` (by a broadcast of `disconnect`), `draining` (its worker
        sends it elsewhere), `inactive`, `too slow` or `expired`.
        """

    # What an application calls

    @property
    def worker(self) -> int:
        """The number of the worker that runs this channel."""
        return self._process.client.runtime.worker

    @property
    def subscriber(self) -> int:
        """The channel's number as a subscriber: with the worker's number it names the channel, for ever."""
        return self._process.subscriber(self.topic)

    @property
    def address(self) -> ChannelAddress:
        """By which any code of the cluster can ask this channel something, with `endpoint.call`."""
        return ChannelAddress(self.worker, self.subscriber, self._process.client.runtime.nodes.own)

    @property
    def endpoint(self) -> "Endpoint":
        """The endpoint that serves this channel."""
        return self._process.client.runtime.endpoint

    def reply_later(self) -> LaterReply:
        """For an event whose reply comes later: `later = self.reply_later()`, and return None.

        Any task may then call `later.reply(Ok(...))`, more than once, and after the channel has ended too.
        """
        return self._process.reply_later()

    async def push(self, event: str, payload: Any) -> None:
        """Send this client an event. The payload is a dict, or what else becomes a JSON object."""
        self._process.push(event, payload)

    def broadcast(self, event: str, payload: Any) -> Coroutine[Any, Any, None]:
        """Send an event to all subscribers of the topic, this client among them. To be awaited.

        They are those of all nodes, if the node is one of several. Raises PayloadTooLarge if it has no way to them.
        """
        return self._process.broadcast(event, payload, to_self=True)

    def broadcast_from(self, event: str, payload: Any) -> Coroutine[Any, Any, None]:
        """Send an event to all subscribers of the topic but this channel. To be awaited."""
        return self._process.broadcast(event, payload, to_self=False)

    def local_broadcast(self, event: str, payload: Any) -> Coroutine[Any, Any, None]:
        """Send an event to the topic's subscribers on this node alone, this client among them. To be awaited."""
        return self._process.broadcast(event, payload, to_self=True, reach=Reach.NODE)

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call this when the channel ends, however it ends; before `terminate`. Raises RuntimeError if it has ended."""
        self._process.at_end(callback)

    def send_after(self, seconds: float, message: Any) -> "Timer":
        """Give `handle_info` a message after so many seconds, unless the channel ends or the timer is cancelled."""
        return self._process.send_after(seconds, message)

    async def subscribe(self, topic: str) -> None:
        """Let `handle_info` have what is broadcast on another topic, from now on."""
        await self._process.extras().subscribe(application_topic(topic))

    async def unsubscribe(self, topic: str) -> None:
        """End what `subscribe` began; without it, nothing happens."""
        self._process.extras().unsubscribe(topic)

    def subscriber_of(self, topic: str) -> int:
        """The channel's number as a subscriber of any topic, 0 if it does not subscribe to it."""
        return self._process.subscriber(topic)
