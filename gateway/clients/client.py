"""One connected client: what its messages set going, on whatever transport it is connected by."""

import logging
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.clients.channel_mailbox import MAX_WORK_A_TURN
from roost.gateway.clients.channel_process import ChannelProcess
from roost.gateway.clients.closing_reasons import closing_reason
from roost.gateway.clients.protocol import (
    Answer,
    ClientProtocol,
    Confirm,
    Discard,
    Effect,
    Forward,
    Leave,
    Membership,
    Push,
    Refuse,
    Resume,
    Start,
    Wait,
)
from roost.gateway.letters import Broadcast, open_letter
from roost.gateway.socket import Socket
from roost.gateway.telemetry import ClientTooSlow
from roost.gateway.transports.transport import Transport
from roost.gateway.transports.when_slow import WhenSlow
from roost.shared.bus import Lane
from roost.shared.frames import CloseCode, Control
from roost.shared.message_limits import MAX_FIELD_BYTES, check_fields
from roost.shared.peer.shard_link import Frames
from roost.shared.phash2 import hash32
from roost.shared.serializer import BadClientMessage, Message, Reply, Serializer
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.shared.peer.audience import Subscription

MAX_HELD_BACK_BYTES: Final = 256 * 1024
"""Bytes of one client's messages that are being handled or wait; beyond them it is not read from."""
MESSAGE_BYTES: Final = 128
"""What a message takes beside its payload, about."""

DISCONNECT: Final = "disconnect"
"""The event that, broadcast on a socket's id, closes its connection."""

_log = logging.getLogger("roost.client")


class Client:
    """What Phoenix's transport process is: the client's channels and the rules of its connection."""

    __slots__ = (
        *("_by_id", "_held_back", "_protocol", "closed_by", "hash", "heartbeat", "runtime", "serializer", "since"),
        *("socket", "transport"),
    )

    wants_controls = False

    def __init__(self, runtime: "Runtime", socket: Socket, serializer: Serializer, transport: Transport) -> None:
        self.runtime = runtime
        self.socket = socket
        self.serializer = serializer
        self.transport = transport
        self.hash = hash32(runtime.worker << 32 | socket.number)
        """By which the shard of all the client's subscriptions is chosen."""
        self.closed_by: str | None = None
        """Why the connection is over; None while it stands."""
        self.since = runtime.uplink.ticked
        """When it connected, to half a second."""
        self.heartbeat: float | None = None
        """When its last heartbeat came, to half a second."""
        self._held_back = 0
        self._protocol = ClientProtocol(type(socket))
        socket.freeze()
        self._by_id: Subscription | None = None
        """To the topic that is the socket's id, by which code can disconnect it."""
        if socket.id is not None:
            topic = application_topic(socket.id)
            self._by_id = runtime.uplink.subscribe(self.hash, topic, Lane.LETTER, (), None, self)
        runtime.clients[socket.number] = self
        if socket.expires_at is not None:
            runtime.expiring.watch(self, socket.expires_at)
        runtime.note(socket.number, "connected")

    @property
    def held_back(self) -> int:
        """Bytes of the client's messages that are being handled or wait."""
        return self._held_back

    @property
    def topics(self) -> dict[str, Membership]:
        """What the client has joined or is joining."""
        return self._protocol.topics

    # Told by the transport

    def receive(self, data: bytes, *, binary: bool) -> None:
        """A message of the client; text is UTF-8 that was checked."""
        tracer = self.runtime.tracer
        received = 0 if tracer is None else tracer.clock()
        try:
            message = self.serializer.decode(data, binary)
            if len(data) > MAX_FIELD_BYTES:
                check_fields(message)
        except BadClientMessage as error:
            _log.info("closing connection %d: %s", self.socket.number, error)
            self.transport.close(CloseCode.INTERNAL_ERROR)
            return
        if tracer is not None:
            message = tracer.received(self.socket, message, received)
        self.handle(message)

    def handle(self, message: Message) -> None:
        """A message that could be read."""
        membership = self._protocol.forwards(message)
        if membership is not None:
            membership.process.message(message)
        else:
            if message.event == "heartbeat":
                self.heartbeat = self.runtime.uplink.ticked
            self._perform(self._protocol.receive(message))

    def control(self, kind: Control, payload: bytes) -> None:
        """Pings and pongs mean nothing to channels."""

    def close(self, code: int | None = None) -> None:
        """The connection is gone; its channels hear why."""
        reason = self.closed_by = closing_reason(code)
        self.runtime.note(self.socket.number, "disconnected")
        self.runtime.clients.pop(self.socket.number, None)
        if self.socket.expires_at is not None:
            self.runtime.expiring.forget(self)
        if self._by_id is not None:
            self.runtime.uplink.unsubscribe(self._by_id)
        for membership in self._protocol.closed():
            membership.process.close(reason)

    # Told by the uplink, of the topic that is the socket's id

    def confirmed(self, subscription: "Subscription") -> None:
        """It stands before any channel of the client does: they share a shard, and say so where there are nodes."""

    def letter(self, topic: str, letter: bytes) -> None:
        """A broadcast of `disconnect` closes the connection; nothing else means anything here (Phoenix 1.8)."""
        message = open_letter(topic, letter)
        if isinstance(message, Broadcast) and message.event == DISCONNECT:
            self.transport.close(CloseCode.GOING_AWAY)

    def too_slow(self, waiting: int) -> None:
        """So many bytes waited for the client that it is being disconnected."""
        self.runtime.note(self.socket.number, "too slow")
        self.runtime.telemetry.emit(ClientTooSlow(socket=self.socket, waiting=waiting))

    # Asked by the transport

    def when_slow(self, topic: str) -> WhenSlow:
        """What becomes of a topic's broadcasts while the client does not read."""
        membership = self._protocol.topics.get(topic)
        policy: WhenSlow = WhenSlow.DISCONNECT if membership is None else membership.process.when_slow
        return policy

    # Told by the channels

    def accepted(self, membership: Membership, response: Any) -> None:
        """A channel let the client in."""
        self.runtime.turn.traffic.joined += 1
        self._note("joined", membership)
        self._perform(self._protocol.accepted(membership, response))

    def refused(self, membership: Membership, response: Any) -> None:
        """A channel refused the client."""
        self.runtime.turn.traffic.refused += 1
        self._note("join refused", membership)
        self._perform(self._protocol.refused(membership, response))

    def ended(self, membership: Membership, *, graceful: bool) -> list[bytes]:
        """A channel has ended. Answers the frames that tell it, for the channel to send in its order."""
        effects = self._protocol.ended(membership, graceful=graceful)
        if effects:
            self._note("channel ended" if graceful else "channel crashed", membership)
        frames = [self._push_frame(effect) for effect in effects if isinstance(effect, Push)]
        return [frame for frame in frames if frame is not None]

    def subscribe(self, process: ChannelProcess) -> "Subscription":
        """Subscribe a channel to its topic."""
        uplink = self.runtime.uplink
        topic, intercepts = process.membership.topic, process.channel.all_intercepts()
        return uplink.subscribe(self.hash, topic, self.serializer.lane, intercepts, self.transport, process)

    def send(self, frame: bytes | Frames) -> None:
        """Send a frame, or a broadcast."""
        self.transport.send(frame)

    def hold_back(self, message: Message) -> None:
        """A message waits: with too much waiting, the client is not read from."""
        before = self._held_back
        self._held_back += _size(message)
        if before <= MAX_HELD_BACK_BYTES < self._held_back:
            self.transport.pause_reading()

    def take(self, message: Message) -> None:
        """A message waits no longer."""
        before = self._held_back
        self._held_back -= _size(message)
        if self._held_back <= MAX_HELD_BACK_BYTES < before:
            self.transport.resume_reading()

    # Carrying out what the rules say

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Forward(membership, message):
                    membership.process.message(message)
                case Answer(reply):
                    self._answer(reply)
                case Start(membership, (route, subtopic), message):
                    self._note("join", membership)
                    channel = route.channel.__new__(route.channel)
                    membership.process = ChannelProcess(self, membership, channel, message)
                    membership.process.join(subtopic, route.assigns)
                case Confirm(membership):
                    membership.process.begin()
                case Leave(membership, message):
                    self._note("leave", membership)
                    membership.process.leave(message)
                case Discard(membership):
                    _log.debug("%s: duplicate join of %r", type(self.socket).__name__, membership.topic)
                    membership.process.discard()
                case Push():
                    self._send(self._push_frame(effect))
                case Wait(message):
                    self.hold_back(message)
                case Resume(messages):
                    self._resume(messages)
                case Refuse(reply):
                    self.runtime.turn.traffic.refused += 1
                    self.runtime.note(self.socket.number, "join refused", reply.topic)
                    _log.warning("%s: %s %r", type(self.socket).__name__, reply.response["reason"], reply.topic)
                    self._answer(reply)

    def _note(self, event: str, membership: Membership) -> None:
        self.runtime.note(self.socket.number, event, membership.topic)

    def _resume(self, messages: list[Message]) -> None:
        """Receive what waited for a join."""
        membership = self.topics.get(messages[0].topic)
        if membership is not None and len(messages) > MAX_WORK_A_TURN and not any(map(_moves, messages)):
            membership.process.rest()
        for message in messages:
            self.take(message)
            self._perform(self._protocol.receive(message))

    def _answer(self, reply: Reply) -> None:
        try:
            self._send(self.serializer.reply(reply))
        except Exception as error:  # noqa: BLE001 - a payload and a serializer of the application's may raise anything
            self._cannot_encode("the reply to the join", reply.topic, error)

    def _push_frame(self, push: Push) -> bytes | None:
        try:
            return self.serializer.push(push.join_ref, push.join_ref, push.topic, push.event, push.payload)
        except Exception as error:  # noqa: BLE001 - so may its serializer
            self._cannot_encode(f"the {push.event}", push.topic, error)
            return None

    def _cannot_encode(self, what: str, topic: str, error: Exception) -> None:
        """Phoenix encodes these in the transport process, which dies of it, and the connection with it."""
        _log.error("%s of %r cannot be encoded: %r", what, topic, error)
        self.transport.close(CloseCode.INTERNAL_ERROR)

    def _send(self, frame: bytes | None) -> None:
        if frame is not None:
            self.transport.send(frame)


def _moves(message: Message) -> bool:
    """Whether it joins or leaves, which must not wait for the events before it."""
    return message.event in ("phx_join", "phx_leave")


def _size(message: Message) -> int:
    return memoryview(message.payload).nbytes + MESSAGE_BYTES
