"""Phoenix's V1 and V2 serializers: what a client sends, and what is sent to it, as WebSocket frames. Pure.

V1 writes objects (`~> 1.0.0`), V2 arrays of five (`~> 2.0.0`); both as in Phoenix 1.8. Payloads of clients are kept
as the JSON text they came in, `Raw`, until code asks for more.
"""

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from roost.shared import binary_messages
from roost.shared.bus import PLAIN, Form, Lane
from roost.shared.deflate import deflate_frame
from roost.shared.frames import binary_frame, text_frame

Raw = msgspec.Raw
if TYPE_CHECKING:
    Payload = Raw | bytes
    """JSON text, or the data of a binary message. (A Raw is no `bytes` at runtime, whatever its stub says.)"""
else:
    Payload = Raw  # what the decoders make; only `decode` puts bytes in its place
M = TypeVar("M")

_JSON, _BINARY, _V1, _V2 = Form.JSON, Form.BINARY, Lane.V1, Lane.V2
# As globals: looking a member up in its Enum takes 0.15 us in Python 3.11.

_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for texts that are not what was expected."""


class BadClientMessage(ValueError):
    """A client's message that cannot be decoded; ends that client's connection with 1011, as in Phoenix."""


class NotAMap(TypeError):
    """The payload of a push or broadcast is no JSON object."""


class Message(msgspec.Struct, array_like=True, gc=False):
    """One message of the protocol. Refs are whatever JSON value the client sent, and are given back unchanged."""

    join_ref: Any
    ref: Any
    topic: Any
    event: Any
    payload: Payload

    def __repr__(self) -> str:
        """Without the payload, which may hold secrets: messages are printed in logs and tracebacks."""
        names = ", ".join(repr(field) for field in (self.join_ref, self.ref, self.topic, self.event))
        payload: Any = self.payload  # an application's serializer is given plain data
        sent = isinstance(payload, Raw | bytes)
        shown = f"{memoryview(payload).nbytes} bytes" if sent else type(payload).__name__
        return f"Message({names}, <{shown}>)"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The answer to one message of a client."""

    join_ref: Any
    ref: Any
    topic: Any
    status: str
    response: Any


class Serializer(Protocol):
    """How messages look on the wire of one client. Lanes name the built-in ones to the shards."""

    @property
    def lane(self) -> Lane:
        """The lane in which shards encode broadcasts for this client."""

    def decode(self, data: bytes, binary: bool) -> Message:
        """A client's message. Text was checked to be UTF-8, what came as binary was not. Raises BadClientMessage."""

    def push(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> bytes:
        """The frame of a message to the client. Raises NotAMap, TypeError or ValueError."""

    def reply(self, reply: Reply) -> bytes:
        """The frame of a reply. Raises TypeError or ValueError."""


def _as_plain(value: Any) -> Any:
    """What msgspec cannot encode by itself: pydantic's models can be asked for plain data."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")


_encode = msgspec.json.Encoder(enc_hook=_as_plain).encode


def encode_json(value: Any) -> bytes:
    """Compact JSON, UTF-8. `Raw` stays as it is. Raises TypeError or UnicodeEncodeError."""
    return bytes(value) if isinstance(value, Raw) else _encode(value)


def encode_map(value: Any) -> bytes:
    """The payload of a push or a broadcast. Raises NotAMap besides what `encode_json` raises."""
    data = encode_json(value)
    if data[0] != 0x7B:
        raise NotAMap(
            f"the payload of a push or broadcast must be a JSON object such as a dict, not {type(value).__name__}"
        )
    return data


def check_event(event: str) -> None:
    """Raises TypeError or UnicodeEncodeError, so that the code that sends hears of it, and not every shard."""
    if not isinstance(event, str):
        raise TypeError(f"an event is a str, not {event!r}")
    if not event.isascii():
        event.encode()


def encode_broadcast(topic: str, event: str, payload: Any) -> tuple[Form, bytes]:
    """A broadcast's payload as it travels. Raises what `encode_map` raises, and ValueError if a name is too long."""
    check_event(event)
    if isinstance(payload, bytes):
        binary_messages.encode_broadcast(topic, event, b"")  # the broadcaster hears of it, not the shards
        return _BINARY, payload
    return _JSON, encode_map(payload)


class _ObjectMessage(msgspec.Struct):
    topic: Any
    event: Any
    payload: Raw
    ref: Any
    join_ref: Any = None


class _Answer(msgspec.Struct):
    """The payload of `phx_reply`; a Struct is made and encoded in half the time of a dict."""

    response: Any
    status: str


class V1Serializer:
    """JSON objects. The client never sees a join_ref."""

    _decoder = msgspec.json.Decoder(_ObjectMessage)

    def __init__(self, lane: Lane = Lane.V1) -> None:
        self.lane: Final = lane

    def decode(self, data: bytes, binary: bool) -> Message:
        """V1 takes JSON out of binary messages too."""
        if binary:
            _check_utf8(data)
        got: _ObjectMessage = _decode(self._decoder, data)
        return Message(got.join_ref, got.ref, got.topic, got.event, got.payload)

    def push(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> bytes:  # noqa: ARG002
        return text_frame(_v1_text(_encode(topic), _encode(event), encode_map(payload), _encode(ref)))

    def reply(self, reply: Reply) -> bytes:
        if isinstance(reply.response, bytes):
            raise TypeError("this client speaks V1, which has no binary messages")
        payload = b'{"response":%b,"status":%b}' % (encode_json(reply.response), _encode(reply.status))
        return text_frame(_v1_text(_encode(reply.topic), b'"phx_reply"', payload, _encode(reply.ref)))


class V2Serializer:
    """JSON arrays: join_ref, ref, topic, event, payload; binary messages for payloads that are bytes."""

    _decoder = msgspec.json.Decoder(Message)

    def __init__(self, lane: Lane = Lane.V2) -> None:
        self.lane: Final = lane

    def decode(self, data: bytes, binary: bool) -> Message:
        if not binary:
            try:
                return self._decoder.decode(data)
            except _UNDECODABLE as error:
                raise BadClientMessage(str(error)) from None
        try:
            return Message(*binary_messages.decode_push(data))
        except binary_messages.BadBinaryMessage as error:
            raise BadClientMessage(str(error)) from None

    def push(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> bytes:
        if isinstance(payload, bytes):
            return binary_frame(binary_messages.encode_push(join_ref, topic, event, payload))
        return text_frame(_encode((join_ref, ref, topic, event, Raw(encode_map(payload)))))

    def reply(self, reply: Reply) -> bytes:
        response = reply.response
        if isinstance(response, bytes):
            return binary_frame(
                binary_messages.encode_reply(reply.join_ref, reply.ref, reply.topic, reply.status, response)
            )
        answer = _Answer(response, reply.status)
        return text_frame(_encode((reply.join_ref, reply.ref, reply.topic, "phx_reply", answer)))


V1: Final = V1Serializer()
V2: Final = V2Serializer()
_COMPRESSED: Final[dict[Lane, Serializer]] = {
    Lane.V1: V1Serializer(Lane.V1_DEFLATE),
    Lane.V2: V2Serializer(Lane.V2_DEFLATE),
}


def compressed(serializer: Serializer) -> Serializer:
    """The same for a client with compression: its broadcasts come in another lane. What it makes is not compressed."""
    return _COMPRESSED.get(serializer.lane, serializer)


def _decode(decoder: msgspec.json.Decoder[M], data: bytes) -> M:
    try:
        return decoder.decode(data)
    except _UNDECODABLE as error:
        raise BadClientMessage(str(error)) from None


def _check_utf8(data: bytes) -> None:
    """Payloads are kept as they came: one that is no UTF-8 would reach a whole room, and cut every client in it."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise BadClientMessage(str(error)) from None


def _v1_text(topic: bytes, event: bytes, payload: bytes, ref: bytes) -> bytes:
    return b'{"event":%b,"payload":%b,"ref":%b,"topic":%b}' % (event, payload, ref, topic)


class Fastlane:
    """One broadcast to one topic, encoded at most once for each lane: Phoenix's fastlane."""

    __slots__ = ("_event", "_form", "_frames", "_payload", "_topic")

    def __init__(self, topic: bytes, form: Form, event: str, payload: bytes) -> None:
        """`topic` is the topic as JSON text, the payload what `encode_broadcast` made."""
        self._topic = topic
        self._form = form
        self._event = event
        self._payload = payload
        self._frames: dict[Lane, bytes | None] = {}

    def frame(self, lane: Lane) -> bytes | None:
        """The complete frame for subscribers of that lane; None if the lane has no form for it: V1 and binary."""
        frames = self._frames
        if lane not in frames:
            frames[lane] = self._encode(lane) if lane not in PLAIN else self._compress(lane)
        return frames[lane]

    def _compress(self, lane: Lane) -> bytes | None:
        frame = self.frame(PLAIN[lane])
        return None if frame is None else deflate_frame(frame)

    def _encode(self, lane: Lane) -> bytes | None:
        if self._form == _BINARY:
            if lane == _V1:
                return None
            topic: str = msgspec.json.decode(self._topic)
            return binary_frame(binary_messages.encode_broadcast(topic, self._event, self._payload))
        event = _encode(self._event)
        if lane == _V2:
            return text_frame(b"[null,null,%b,%b,%b]" % (self._topic, event, self._payload))
        return text_frame(_v1_text(self._topic, event, self._payload, b"null"))
