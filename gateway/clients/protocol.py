"""One client's rules: what each of its messages means, by what it has joined (Phoenix 1.8, `Phoenix.Socket`). Pure.

How a topic comes to be joined and how that ends::

    phx_join --> JOINING --accepted--> JOINED --phx_leave--> LEAVING
                    |                     |                      |
                 refused                ended                  ended
                    +---------------------+----------------------+--> ENDED

While a topic is JOINING its frames wait, a second phx_join and a phx_leave among them; everything else goes on. In
Phoenix a join blocks the whole connection; what a client can see of the one topic is the same here.

A topic that is joined again gets a new `Membership`. An answer that comes late quotes its own and is known by it.
"""

from enum import Enum, auto
from sys import intern
from typing import Any, Final, Protocol

import msgspec

from roost.shared.serializer import Message, Reply

MAX_CHANNELS: Final = 100
"""Channels that one client may have joined (Phoenix's `max_channels_per_transport`)."""

HEARTBEAT_TOPIC: Final = "phoenix"
UNMATCHED: Final = {"reason": "unmatched topic"}
TOO_MANY: Final = {"reason": "too many channels joined"}
JOIN_CRASHED: Final = {"reason": "join crashed"}
CHANNEL_CRASH: Final = {"reason": "channel_crash"}


class Status(Enum):
    """Where a membership stands."""

    JOINING = auto()
    JOINED = auto()
    LEAVING = auto()
    ENDED = auto()


_JOINING, _JOINED = Status.JOINING, Status.JOINED
# As globals: looking a member up in its Enum takes 0.15 us in Python 3.11.
_OWN_EVENTS: Final = ("phx_join", "phx_leave", "heartbeat")


class Membership:
    """One joining of one topic. Its texts are those of thousands of others: each is kept once."""

    __slots__ = ("join_ref", "process", "ref", "replaced", "status", "topic", "waiting")

    def __init__(self, topic: str, message: Message) -> None:
        self.topic = intern(topic)
        join_ref = message.join_ref
        self.join_ref = intern(join_ref) if type(join_ref) is str else join_ref
        """What the client's messages are compared with; null if its join had none."""
        self.ref = message.ref
        """The ref of the join, until it is answered."""
        self.status = _JOINING
        self.waiting: list[Message] | None = None
        """What came for the topic while it was joining, if anything did."""
        self.replaced: Membership | None = None
        """The membership that this one replaced, until the client has been told that it is closed."""
        self.process: Any = None
        """Whatever runs the channel; the rules only keep it."""


class Answer(msgspec.Struct, frozen=True):
    """Send this reply."""

    reply: Reply


class Refuse(msgspec.Struct, frozen=True):
    """Send this reply to a join about which no channel is asked."""

    reply: Reply


class Push(msgspec.Struct, frozen=True):
    """Send `phx_close` or `phx_error`, whose ref is the join's join_ref."""

    topic: str
    join_ref: Any
    event: str
    payload: dict[str, Any]


class Start(msgspec.Struct, frozen=True):
    """Start a channel and ask it to join."""

    membership: Membership
    route: Any
    """What `find` answered."""
    message: Message


class Confirm(msgspec.Struct, frozen=True):
    """The client has been told that it joined: the channel may act."""

    membership: Membership


class Forward(msgspec.Struct, frozen=True):
    """The channel is to handle a message."""

    membership: Membership
    message: Message


class Leave(msgspec.Struct, frozen=True):
    """The channel is to reply to this message and to end."""

    membership: Membership
    message: Message


class Discard(msgspec.Struct, frozen=True):
    """The channel was replaced: end it at once, without its `terminate`."""

    membership: Membership


class Wait(msgspec.Struct, frozen=True):
    """The message waits for a join; nothing is to be done."""

    message: Message


class Resume(msgspec.Struct, frozen=True):
    """These messages waited for a join: receive them now."""

    messages: list[Message]


Effect = Answer | Refuse | Push | Start | Confirm | Forward | Leave | Discard | Wait | Resume


class Routing(Protocol):
    """What the rules ask of a class of sockets."""

    max_channels: int
    """Channels that one connection may join."""

    def find(self, topic: str) -> Any:
        """The route of a topic, None if there is none."""


class ClientProtocol:
    """The state of one client."""

    __slots__ = ("_routing", "topics")

    def __init__(self, routing: Routing) -> None:
        self._routing = routing
        self.topics: dict[str, Membership] = {}

    def forwards(self, message: Message) -> Membership | None:
        """Whose channel is to handle the message, if that is all it brings about: `receive` would answer `Forward`.

        Nearly every message is of this kind, and is spared the table below.
        """
        topic = message.topic
        membership = self.topics.get(topic) if type(topic) is str else None
        if membership is None or membership.status is _JOINING or message.event in _OWN_EVENTS:
            return None
        join_ref, own = message.join_ref, membership.join_ref
        if join_ref is None or (type(join_ref) is type(own) and join_ref == own):  # as `_same` says
            return membership
        return None

    def receive(self, message: Message) -> list[Effect]:
        """What one message of the client brings about: the first row of Phoenix's table that fits it."""
        topic, event = message.topic, message.event
        if topic == HEARTBEAT_TOPIC and event == "heartbeat":
            return [Answer(Reply(None, message.ref, topic, "ok", {}))]
        membership = self.topics.get(topic) if isinstance(topic, str) else None
        if membership is not None:
            return self._receive_joined(membership, message)
        if event == "phx_leave":
            return [Answer(Reply(message.join_ref, message.ref, topic, "ok", {}))]
        if event == "phx_join" and isinstance(topic, str):
            return self._join(message, None)
        return [_unmatched(message)]

    def accepted(self, membership: Membership, response: Any) -> list[Effect]:
        """The channel joined and is subscribed."""
        if membership.status is not _JOINING:
            return []
        membership.status = _JOINED
        verdict = _verdict(membership, "ok", response)
        return [verdict, *_close_replaced(membership), Confirm(membership), *_resume(membership)]

    def refused(self, membership: Membership, response: Any) -> list[Effect]:
        """The channel refused the join, or crashed in it."""
        if membership.status is not _JOINING:
            return []
        self._end(membership)
        return [_verdict(membership, "error", response), *_close_replaced(membership), *_resume(membership)]

    def ended(self, membership: Membership, *, graceful: bool) -> list[Effect]:
        """The channel has ended: by itself or by a leave (gracefully), or by a crash."""
        if membership.status not in (_JOINED, Status.LEAVING):
            return []
        self._end(membership)
        return [_close(membership) if graceful else _error(membership)]

    def closed(self) -> list[Membership]:
        """The connection is gone: nothing is answered any more. Returns what was joined or joining."""
        memberships = list(self.topics.values())
        for membership in memberships:
            self._end(membership)
        return memberships

    def _receive_joined(self, membership: Membership, message: Message) -> list[Effect]:
        if membership.status is _JOINING:
            return _wait(membership, message)
        if message.event == "phx_join":
            self._end(membership)
            return [Discard(membership), *self._join(message, membership)]
        if message.join_ref is not None and not _same(message.join_ref, membership.join_ref):
            # It belongs to an earlier joining of this topic; even a leave of that one gets no reply.
            return []
        if message.event != "phx_leave":
            return [Forward(membership, message)]
        if membership.status is Status.LEAVING:
            return []
        membership.status = Status.LEAVING
        return [Leave(membership, message)]

    def _join(self, message: Message, replaced: Membership | None) -> list[Effect]:
        route = self._routing.find(message.topic)
        if route is not None and len(self.topics) < self._routing.max_channels:
            membership = Membership(message.topic, message)
            membership.replaced = replaced
            self.topics[membership.topic] = membership
            return [Start(membership, route, message)]
        refusal = Refuse((_unmatched(message) if route is None else _too_many(message)).reply)
        return [refusal, _close(replaced)] if replaced else [refusal]

    def _end(self, membership: Membership) -> None:
        membership.status = Status.ENDED
        if self.topics.get(membership.topic) is membership:
            del self.topics[membership.topic]


def _wait(membership: Membership, message: Message) -> list[Effect]:
    if membership.waiting is None:
        membership.waiting = []
    membership.waiting.append(message)
    return [Wait(message)]


def _verdict(membership: Membership, status: str, response: Any) -> Answer:
    ref, membership.ref = membership.ref, None
    return Answer(Reply(membership.join_ref, ref, membership.topic, status, response))


def _close_replaced(membership: Membership) -> list[Effect]:
    """Between the verdict and whatever the new channel sends: the close of what the join replaced."""
    replaced, membership.replaced = membership.replaced, None
    return [_close(replaced)] if replaced else []


def _resume(membership: Membership) -> list[Effect]:
    waiting, membership.waiting = membership.waiting, None
    return [Resume(waiting)] if waiting else []


def _close(membership: Membership) -> Push:
    return Push(membership.topic, membership.join_ref, "phx_close", {})


def _error(membership: Membership) -> Push:
    return Push(membership.topic, membership.join_ref, "phx_error", CHANNEL_CRASH)


def _unmatched(message: Message) -> Answer:
    """Phoenix leaves the join_ref out of this reply, even if the client sent one."""
    return Answer(Reply(None, message.ref, message.topic, "error", UNMATCHED))


def _too_many(message: Message) -> Answer:
    return Answer(Reply(message.join_ref, message.ref, message.topic, "error", TOO_MANY))


def _same(one: Any, other: Any) -> bool:
    """Refs are compared as Elixir compares them: 1 is not "1", nor 1.0, nor true."""
    return type(one) is type(other) and bool(one == other)
