"""Phoenix's V2 messages as a client writes and reads them: text, and binary where the payload is bytes. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Final

from roost.shared.binary_messages import BROADCAST, MAX_FIELD_BYTES, PUSH, REPLY
from roost.shared.serializer import encode_json

JOIN: Final = "phx_join"
LEAVE: Final = "phx_leave"
REPLIED: Final = "phx_reply"
CLOSED: Final = "phx_close"
CRASHED: Final = "phx_error"

HEARTBEAT_PERIOD: Final = 30.0
"""Seconds between two heartbeats, as phoenix.js has it."""


class BadServerMessage(ValueError):
    """What a server sent is no message of V2; the text says why."""


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """One message of a server."""

    topic: str
    event: str
    payload: Any
    """Plain data, or bytes. Of a reply, its response."""
    ref: str | None = None
    """Of a reply, the ref of what it answers."""
    join_ref: str | None = None
    """None if it was broadcast."""
    status: str | None = None
    """Of a reply."""


def encode_message(join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any) -> str | bytes:
    """What a client sends; binary if the payload is bytes. Raises TypeError, and ValueError for a name too long."""
    if not isinstance(payload, bytes | bytearray | memoryview):
        message = [join_ref, ref, topic, event, payload]
        return json.dumps(message, separators=(",", ":"), allow_nan=False, default=_as_plain)
    names = [(name or "").encode() for name in (join_ref, ref, topic, event)]
    if longest := max((name for name in names if len(name) > MAX_FIELD_BYTES), key=len, default=b""):
        raise ValueError(f"names in a binary message have at most {MAX_FIELD_BYTES} bytes, not {len(longest)}")
    return b"".join((bytes((PUSH, *map(len, names))), *names, payload))


def _as_plain(value: Any) -> Any:
    """What json does not know and channels may send: Structs, dataclasses, models, dates."""
    return json.loads(encode_json(value))


def decode_message(data: str | bytes) -> ServerMessage:
    """What a client receives. Raises BadServerMessage."""
    return _decode_binary(data) if isinstance(data, bytes) else _decode_text(data)


def _decode_text(text: str) -> ServerMessage:
    try:
        join_ref, ref, topic, event, payload = json.loads(text)
        if event == REPLIED:
            return ServerMessage(topic, event, payload["response"], ref, join_ref, payload["status"])
    except (ValueError, TypeError, KeyError) as error:
        raise BadServerMessage(f"{text[:100]!r} is no message of V2: {error}") from None
    return ServerMessage(topic, event, payload, ref, join_ref)


_NAMES: Final = {PUSH: 3, REPLY: 4, BROADCAST: 2}
"""How many names a binary message of each kind has."""


def _decode_binary(data: bytes) -> ServerMessage:
    count = _NAMES.get(data[0]) if data else None
    if count is None or len(data) <= count:
        raise BadServerMessage(f"{data[:20].hex(' ')!r} is no binary message of V2")
    names = []
    at = 1 + count
    for length in data[1 : 1 + count]:
        names.append(data[at : at + length])
        at += length
    if at > len(data):
        raise BadServerMessage("a binary message ends within its names")
    try:
        texts = [name.decode() for name in names]
    except UnicodeDecodeError as error:
        raise BadServerMessage(str(error)) from None
    return _named(data[0], texts, data[at:])


def _named(kind: int, names: list[str], payload: bytes) -> ServerMessage:
    match kind, names:
        case 0, [join_ref, topic, event]:
            return ServerMessage(topic, event, payload, None, join_ref)
        case 1, [join_ref, ref, topic, status]:
            return ServerMessage(topic, REPLIED, payload, ref, join_ref, status)
        case _, [topic, event]:
            return ServerMessage(topic, event, payload)
    raise AssertionError(f"kind {kind} with {len(names)} names")
