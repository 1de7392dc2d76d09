"""Messages for code: what a channel's `handle_info` or a mailbox is given. Pure."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from roost.shared.bus import Form, decode_letter

_plain_encoder: Final = msgspec.msgpack.Encoder()
_plain_decoder: Final = msgspec.msgpack.Decoder()
_json_decoder: Final = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Broadcast:
    """An event that was broadcast on a topic, as code sees it."""

    topic: str
    event: str
    payload: Any


def encode_plain(message: Any) -> bytes:
    """A plain message of `PubSub.broadcast`: whatever MessagePack can express. Raises TypeError."""
    return _plain_encoder.encode(message)


def open_plain(data: bytes) -> Any:
    """What `encode_plain` made bytes of."""
    return _plain_decoder.decode(data)


def open_letter(topic: str, letter: bytes) -> Any:
    """The plain message, or the Broadcast, that a letter carries. Each receiver opens its own."""
    opened = decode_letter(letter)
    match opened.form:
        case Form.PLAIN:
            return open_plain(opened.payload)
        case Form.BINARY:
            return Broadcast(topic, opened.event, opened.payload)
        case Form.JSON:
            return Broadcast(topic, opened.event, _json_decoder.decode(opened.payload))
