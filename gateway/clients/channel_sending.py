"""What a channel sends: to its client, and to all subscribers of its topic."""

import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import msgspec

from roost.gateway.clients.program_order import ProgramOrder
from roost.gateway.clients.protocol import Membership, Status
from roost.gateway.custom_serializer import OwnLane
from roost.gateway.events import CALLBACKS, UnknownEvent
from roost.gateway.inspection.parameter_filter import kind
from roost.gateway.inspection.places import place
from roost.gateway.letters import Broadcast
from roost.gateway.replies import AnyReply
from roost.shared import serializer
from roost.shared.bus import Reach
from roost.shared.peer.shard_link import Frames
from roost.shared.serializer import check_event, encode_broadcast

if TYPE_CHECKING:
    from roost.gateway.channel import Channel
    from roost.gateway.clients.channel_extras import ChannelExtras
    from roost.gateway.clients.client import Client
    from roost.shared.peer.audience import Subscription


_log = logging.getLogger("roost.channel")


class State(Enum):
    """Where a channel stands."""

    JOINING = auto()
    JOINED = auto()
    ENDING = auto()
    """`terminate` runs."""
    ENDED = auto()


JOINING, JOINED, ENDED = State.JOINING, State.JOINED, State.ENDED
# As globals: looking a member up in its Enum takes 0.15 us in Python 3.11.
_MAY_SEND: Final = (State.JOINED, State.ENDING)


class LaterReply:
    """A reply that is still to come (Phoenix's `socket_ref`). Any task may give it, more than once, at any time."""

    __slots__ = ("_process", "_ref")

    def __init__(self, process: "ChannelSending", ref: Any) -> None:
        self._process = process
        self._ref = ref

    def reply(self, reply: AnyReply) -> None:
        """Answer the client; after the channel has ended too. Raises TypeError if the payload cannot be encoded."""
        self._process.reply(self._ref, reply)


class ChannelSending:
    """The part of a channel's process that sends; the other part handles what comes."""

    __slots__ = ("_extras", "_order", "_state", "channel", "client", "join_ref", "membership", "subscription")

    channel: "Channel[Any]"
    client: "Client"
    join_ref: Any
    membership: Membership
    subscription: "Subscription | None"
    _extras: "ChannelExtras | None"
    _order: ProgramOrder | None
    _state: State

    @property
    def stands_behind(self) -> str | None:
        """The topic of which the node must hear before a join is answered: who has joined can be disconnected by id."""
        return self.client.socket.id

    def push(self, event: str, payload: Any) -> None:
        """Send the client an event."""
        self._require_joined()
        check_event(event)
        frame = self.client.serializer.push(self.join_ref, None, self.membership.topic, event, payload)
        if (tracer := self.client.runtime.tracer) is not None:
            tracer.pushed(self, event, payload, len(frame))
        self._send(frame)

    def reply(self, ref: Any, reply: AnyReply) -> None:
        """Answer the client's message that had this ref."""
        answer = serializer.Reply(self.join_ref, ref, self.membership.topic, reply.status, reply.payload)
        frame = self.client.serializer.reply(answer)
        if (tracer := self.client.runtime.tracer) is not None:
            tracer.replied(self, answer, len(frame))
        self._send(frame)

    async def broadcast(self, event: str, payload: Any, *, to_self: bool, reach: Reach = Reach.CLUSTER) -> None:
        """Publish an event on the channel's topic; waits while there is no credit."""
        if self._state is not JOINED:
            self._require_joined()
        topic = self.membership.topic
        form, data = encode_broadcast(topic, event, payload)
        sender = 0 if to_self else self.subscriber(topic)
        uplink = self.client.runtime.uplink
        number = uplink.publish_now(topic, form, event, data, sender, reach)
        if not number:
            number = await uplink.publish(topic, form, event, data, sender, reach)
        if to_self and self.subscription is not None:
            self.published(number)

    def published(self, number: int) -> None:
        """What this channel published will come to its client: what it sends from now on comes after that."""
        if self._order is None:
            self._order = ProgramOrder(self.client.runtime.uplink, self.client)
        self._order.published(number)

    def published_elsewhere(self, topic: str, number: int) -> None:
        """The channel's code published an event on any topic; its client may be among the subscribers."""
        membership = self.client.topics.get(topic)
        if membership is not None and membership.status is Status.JOINED:
            self.published(number)

    def subscriber(self, topic: str) -> int:
        """The channel's own subscriber number in a topic, 0 if it does not subscribe to it."""
        if topic == self.membership.topic:
            return self.subscription.number if self.subscription is not None else 0
        subscription = self._extras.subscription(topic) if self._extras is not None else None
        return subscription.number if subscription is not None else 0

    def _fastlane(self, lane: OwnLane, letter: bytes) -> bool:
        """Send the client a broadcast that its channel does not intercept; answers whether it is one."""
        topic = self.membership.topic
        try:
            passes, frame = lane.broadcast(topic, letter, self.channel.all_intercepts())
        except msgspec.DecodeError as error:  # a client's own doing: the application passed its JSON on unread
            _log.warning("a broadcast on %r cannot be read: %s", topic, error)
            return True
        except Exception:  # noqa: BLE001 - the crash boundary of an application's serializer
            _log.error("a broadcast on %r cannot be encoded", topic, exc_info=True)
            return True
        if frame is not None:
            self.client.send(Frames([self.client.transport], [frame], topic))
        return passes

    def name(self) -> str:
        """The channel in a log line."""
        return f"{type(self.channel).__name__} on {self.membership.topic!r}"

    def log_crash(self, error: BaseException, doing: Any) -> None:
        """The channel's code raised this; an event that it has no method for is no bug of the server's."""
        if isinstance(error, UnknownEvent):
            _log.warning("%s ended: %s", self.name(), error)
        else:
            what = doing if isinstance(doing, str) else kind(doing)
            handled = self.channel.event_methods().get(what)
            method = (
                handled.call if handled else getattr(type(self.channel), what if what in CALLBACKS else "handle_in")
            )
            _log.error("%s crashed in %r (%s)", self.name(), what, place(method), exc_info=error)

    def _method(self, doing: str) -> Callable[..., Any]:
        """What handles an event, or the callback of that name."""
        handled = self.channel.event_methods().get(doing)
        if handled is not None:
            return handled.call
        method: Callable[..., Any] = getattr(type(self.channel), doing if doing in CALLBACKS else "handle_in")
        return method

    def log_unexpected(self, message: Any) -> None:
        """Phoenix's warning for a message without `handle_info`. What it carries is not told."""
        what = f"{message.event!r} on {message.topic!r}" if isinstance(message, Broadcast) else kind(message)
        _log.warning("%s got a message and has no handle_info for it: %s", self.name(), what)

    def _send(self, frame: bytes) -> None:
        if self._order is None:
            self.client.transport.send(frame)
        else:
            self._order.send(frame)

    def _require_joined(self) -> None:
        if self._state not in _MAY_SEND:
            raise RuntimeError(
                f"{self.name()} cannot send: the client has not heard yet that it joined; do it in `joined`"
                if self._state is State.JOINING
                else f"{self.name()} cannot send: it has ended"
            )
