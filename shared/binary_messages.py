"""Phoenix's V2 messages with binary payloads: a byte of kind, a byte for each length, the names, the data. Pure.

Lengths count UTF-8 bytes, so none may have more than 255 (Phoenix 1.8, `V2.JSONSerializer`).
"""

from typing import Any, Final, NamedTuple

PUSH: Final = 0
REPLY: Final = 1
BROADCAST: Final = 2
MAX_FIELD_BYTES: Final = 255
_PUSH_HEAD: Final = 5


class BadBinaryMessage(ValueError):
    """What a client sent is no binary push."""


class FieldTooLong(ValueError):
    """A name does not fit a binary message; the text says which."""


class BinaryPush(NamedTuple):
    """A push of a client. Refs that it left out are empty, not null."""

    join_ref: str
    ref: str
    topic: str
    event: str
    data: bytes


def decode_push(message: bytes) -> BinaryPush:
    """A client's message. Raises BadBinaryMessage."""
    if len(message) < _PUSH_HEAD or message[0] != PUSH:
        raise BadBinaryMessage("a binary message of a client is a push: kind 0 and four lengths")
    fields = []
    start = _PUSH_HEAD
    for length in message[1:_PUSH_HEAD]:
        fields.append(message[start : start + length])
        start += length
    if start > len(message):
        raise BadBinaryMessage("a binary message ends within its names")
    try:
        join_ref, ref, topic, event = (field.decode() for field in fields)
    except UnicodeDecodeError as error:
        raise BadBinaryMessage(str(error)) from None
    return BinaryPush(join_ref, ref, topic, event, message[start:])


def encode_push(join_ref: Any, topic: str, event: str, data: bytes) -> bytes:
    """A push to the client. Raises FieldTooLong."""
    return _encode(PUSH, (("join_ref", join_ref), ("topic", topic), ("event", event)), data)


def encode_reply(join_ref: Any, ref: Any, topic: str, status: str, data: bytes) -> bytes:
    """A reply. Raises FieldTooLong."""
    return _encode(REPLY, (("join_ref", join_ref), ("ref", ref), ("topic", topic), ("status", status)), data)


def encode_broadcast(topic: str, event: str, data: bytes) -> bytes:
    """A broadcast. Raises FieldTooLong."""
    return _encode(BROADCAST, (("topic", topic), ("event", event)), data)


def _encode(kind: int, fields: tuple[tuple[str, Any], ...], data: bytes) -> bytes:
    names = [_field(name, value) for name, value in fields]
    return b"".join((bytes((kind, *map(len, names))), *names, data))


def _field(name: str, value: Any) -> bytes:
    """Null is empty, any other ref that is no text is written as text."""
    field = b"" if value is None else str(value).encode()
    if len(field) > MAX_FIELD_BYTES:
        raise FieldTooLong(f"the {name} of a binary message has at most {MAX_FIELD_BYTES} bytes, not {len(field)}")
    return field
