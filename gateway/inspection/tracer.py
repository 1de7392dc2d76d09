"""Tells the traces of a worker what its clients and channels do. It is there only while one is on."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from roost.gateway.clients.channel_process import ChannelProcess
from roost.gateway.clients.channel_sending import ChannelSending
from roost.gateway.clients.connections import connection_of
from roost.gateway.inspection.parameter_filter import kind, shown
from roost.gateway.raw_socket import RawSocket
from roost.gateway.socket import Socket
from roost.shared.bus import TRACED, Form
from roost.shared.peer.books import Timed
from roost.shared.peer.shard_link import Frames, Letters
from roost.shared.serializer import Message, Reply, encode_json
from roost.shared.topics import RESERVED
from roost.shared.trace import Happened, Published, Written
from roost.shared.trace_recorder import Recording, Recordings

if TYPE_CHECKING:
    from roost.gateway.bus.uplink import Uplink
    from roost.gateway.clients.runtime import Runtime
    from roost.shared.peer.audience import Subscription

MAX_NAME: Final = 1024
"""Characters of a name that are told; what a client sends is no longer anyhow."""
MAX_FILTERED: Final = 4096
"""Bytes: of a larger payload only the size is told, so that nobody waits while it is filtered."""
MAX_SHOWN: Final = 200
"""Characters of a payload that are told."""
EVENTS: Final = {
    "join": "phx_join",
    "joined": "phx_join",
    "join refused": "phx_join",
    "leave": "phx_leave",
    "channel ended": "phx_close",
    "channel crashed": "phx_error",
}
"""The event of what is noted of a socket."""
_NOTED: Final = ("phx_join", "phx_leave")
"""Events that are told by what they bring about."""

AnySocket = Socket | RawSocket


class TimedMessage(Message, gc=False):
    """A client's message with the times of its way so far."""

    received: int = 0
    decoded: int = 0


class Tracer:
    """What a worker tells its traces."""

    def __init__(
        self,
        runtime: "Runtime",
        uplink: "Uplink",
        recordings: Recordings,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.clock = clock
        """Nanoseconds of the machine's monotonic clock."""
        self._runtime = runtime
        self._uplink = uplink
        self._recordings = recordings

    # What clients and channels do

    def received(self, socket: AnySocket, message: Message, received: int) -> Message:
        """A client's message was decoded. Answers it with its times, for a broadcast that it may lead to."""
        topic, event = message.topic, message.event
        if not self._concerns(topic):
            return message
        decoded = self.clock()
        join_ref, ref, payload = message.join_ref, message.ref, message.payload
        if event not in _NOTED:
            size = memoryview(payload).nbytes
            for recording in self._wanting(socket, topic, event):
                more: dict[str, Any] = {"ref": _text(ref), "size": size, "payload": self._shown(payload, size)}
                recording.match(self._happened("message", socket, topic, event, at=received, **more))
        return TimedMessage(join_ref, ref, topic, event, payload, received, decoded)

    def noted(self, number: int, what: str, topic: str | None) -> None:
        """Something happened to a socket."""
        connection = self._runtime.clients.get(number)
        socket = None if connection is None else connection.socket
        event = EVENTS.get(what)
        for recording in self._wanting(socket, topic, event):
            recording.match(self._happened(what, socket, topic, event))

    def subscribed(self, subscription: "Subscription", what: str) -> None:
        """A subscription begins or ends."""
        topic = subscription.topic
        if topic.startswith(RESERVED):
            return
        connection = connection_of(subscription.inbox)
        socket = None if connection is None else connection.socket
        slot = self._uplink.owner(subscription)
        for recording in self._wanting(socket, topic, None):
            recording.match(self._happened(what, socket, topic, None, subscriber=subscription.number, slot=slot))

    def pushed(self, process: ChannelSending, event: str, payload: Any, size: int) -> None:
        """A channel pushes an event to its client."""
        socket, topic = process.client.socket, process.membership.topic
        if not self._concerns(topic):
            return
        for recording in self._wanting(socket, topic, event):
            more: dict[str, Any] = {"size": size, "payload": self._shown(payload, size)}
            recording.match(self._happened("push", socket, topic, event, **more))

    def replied(self, process: ChannelSending, reply: Reply, size: int) -> None:
        """A channel answers its client."""
        socket, topic, event = process.client.socket, process.membership.topic, "phx_reply"
        if not self._concerns(topic):
            return
        for recording in self._wanting(socket, topic, event):
            more: dict[str, Any] = {"ref": _text(reply.ref), "status": reply.status, "size": size}
            payload = self._shown(reply.response, size)
            recording.match(self._happened("reply", socket, topic, event, **more, payload=payload))

    def told_locally(self, handovers: Sequence[Frames | Letters], event: str) -> None:
        """The worker tells its own subscribers something, by no shard."""
        topic = handovers[0].topic if handovers else ""
        recipients = sum(len(one.outlets if isinstance(one, Frames) else one.inboxes) for one in handovers)
        for recording in self._wanting(None, topic, event):
            recording.match(self._happened("local broadcast", None, topic, event, recipients=recipients))

    # Broadcasts

    def mark(self, topic: str, event: str) -> int:
        """The time for a publish that is to be traced; 0 if it is not."""
        if not self._concerns(topic) or topic.startswith(RESERVED):
            return 0
        wanting = self._wanting(self._speaker(), topic, event or None)
        if any(recording.has_room() for recording in wanting):
            return self.clock() | TRACED
        for recording in wanting:
            recording.lost += 1
        return 0

    def published(self, number: int, trace: int, topic: str, form: Form, event: str, payload: bytes) -> None:
        """A publish has its number; `trace` is what `mark` answered, or else it is not traced."""
        if not trace & TRACED:
            return
        socket = self._speaker()
        answered = self._answered()
        note = Published(
            *(trace, self._runtime.worker, number, topic[:MAX_NAME], event[:MAX_NAME] or None),
            shards=self._uplink.shards,
            size=len(payload),
            payload=self._shown_published(form, payload),
            socket=self._name(socket),
            received=None if answered is None else answered.received,
            decoded=None if answered is None else answered.decoded,
        )
        for recording in self._wanting(socket, topic, event or None):
            recording.match(note)

    def written(self, timed: Sequence[Timed], arrived: int, began: int, ended: int) -> None:
        """What came from shards was handed over, traced broadcasts among it perhaps."""
        worker = self._runtime.worker
        for one in timed:
            if one.trace & TRACED:
                note = Written(one.publisher, one.number, one.slot, worker, arrived, began, ended, one.recipients)
                for recording in self._recordings.on:
                    if recording.concerns(one.topic):
                        recording.part(note)

    # Who wants to know, and what is told

    def _concerns(self, topic: Any) -> bool:
        """Whether some trace may look for this topic: asked first, for it is asked for every message."""
        beginnings = self._recordings.beginnings
        return topic.startswith(beginnings) if type(topic) is str else "" in beginnings

    def _wanting(self, socket: AnySocket | None, topic: Any, event: Any) -> list[Recording]:
        return [
            recording
            for recording in self._recordings.on
            if recording.matches(topic, event) and (recording.socket is None or self._is(socket, recording.socket))
        ]

    def _is(self, socket: AnySocket | None, name: str) -> bool:
        return socket is not None and name in (socket.id, self._name(socket))

    def _name(self, socket: AnySocket | None) -> str | None:
        return None if socket is None else f"{self._runtime.worker}.{socket.number}"

    def _happened(
        self, what: str, socket: AnySocket | None, topic: Any, event: Any, at: int = 0, **more: Any
    ) -> Happened:
        names = self._name(socket), _text(topic), _text(event)
        return Happened(what, at or self.clock(), self._runtime.worker, *names, **more)

    def _process(self) -> ChannelProcess | None:
        """The channel whose code runs right now."""
        owner = self._runtime.runner.owner
        return owner if isinstance(owner, ChannelProcess) else None

    def _speaker(self) -> AnySocket | None:
        process = self._process()
        return None if process is None else process.client.socket

    def _answered(self) -> TimedMessage | None:
        """The message that the channel handles whose code runs right now."""
        process = self._process()
        answered = None if process is None else process._answering  # noqa: SLF001 - nobody else asks
        return answered if isinstance(answered, TimedMessage) else None

    def _shown_published(self, form: Form, payload: bytes) -> str | None:
        if form is Form.PLAIN:
            return None  # it may be anything that code tells code
        return self._shown(msgspec.Raw(payload) if form is Form.JSON else payload, len(payload))

    def _shown(self, payload: Any, size: int) -> str | None:
        """A payload as a log line tells it, cut; None if it is too large to be looked at."""
        if size > MAX_FILTERED:
            return None
        try:
            plain = payload if isinstance(payload, bytes) else msgspec.json.decode(encode_json(payload))
            text = shown(self._runtime.endpoint.filter_parameters(plain))
        except Exception as error:  # noqa: BLE001 - the application's filter, or its payload
            return kind(error)
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _text(value: Any) -> str | None:
    """What a client sends as a topic, an event or a ref is any JSON value."""
    return None if value is None else str(value)[:MAX_NAME]
