"""WebSocket frames as a server sends them: whole, unmasked (RFC 6455, section 5.2). Pure."""

import struct
from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import Final

_TEXT: Final = 0x81
_BINARY: Final = 0x82
_CLOSE: Final = 0x88
_PING: Final = 0x89
_PONG: Final = 0x8A
_COMPRESSED: Final = 0x40
"""RSV1 (RFC 7692, section 6)."""
MAX_CONTROL_BYTES: Final = 125
"""The payload of a ping, a pong or a close frame (RFC 6455, section 5.5)."""
_SHORT: Final = 125
_TEXT_HEADS: Final = tuple(bytes((_TEXT, length)) for length in range(_SHORT + 1))
"""The heads of short text frames, which nearly all are, by length."""
_MEDIUM: Final = 0xFFFF
_MAX_REASON_BYTES: Final = 123
"""A control frame holds 125 bytes, two of which are the close code."""


class Control(StrEnum):
    """The control frames that are handed on to code that asks for them."""

    PING = "ping"
    PONG = "pong"


class CloseCode(IntEnum):
    """The close codes that Roost sends (RFC 6455, section 7.4.1). phoenix.js comes back after all but NORMAL."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_DATA = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TOO_SLOW = 4008
    """Roost's own (4000 to 4999 are anybody's): the client did not read what was sent to it."""
    EXPIRED = 4010
    """Roost's own: the connection was good until a time that has come."""


def text_frame(payload: bytes) -> bytes:
    """A text message in one frame; the payload must be UTF-8."""
    length = len(payload)
    return (_TEXT_HEADS[length] if length <= _SHORT else _head(_TEXT, length)) + payload


def binary_frame(payload: bytes) -> bytes:
    """A binary message in one frame."""
    return _head(_BINARY, len(payload)) + payload


def ping_frame(payload: bytes) -> bytes:
    """A ping with a payload of at most 125 bytes, which the client answers with a pong."""
    return _head(_PING, len(payload)) + payload


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping, with the ping's payload of at most 125 bytes."""
    return _head(_PONG, len(payload)) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """The frame that begins the closing handshake."""
    payload = struct.pack(">H", code) + reason.encode()[:_MAX_REASON_BYTES]
    return _head(_CLOSE, len(payload)) + payload


def compressed_frame(frame: bytes, deflated: bytes) -> bytes:
    """The message of a frame made here, in the compressed form of its payload."""
    return _head(frame[0] | _COMPRESSED, len(deflated)) + deflated


def frame_payload(frame: bytes) -> bytes:
    """What a frame made here carries, for transports that are no WebSocket."""
    return frame[2 if frame[1] <= _SHORT else 4 if frame[1] == _SHORT + 1 else 10 :]


def is_text(frame: bytes) -> bool:
    """Whether a frame made here is a text message."""
    return frame[0] == _TEXT


def is_control(frame: bytes) -> bool:
    """Whether a frame made here is a ping, a pong or a close frame."""
    return frame[0] >= _CLOSE


def frame_payloads(frames: bytes) -> Iterator[bytes]:
    """What frames made here carry, one frame behind the other."""
    start = 0
    while start < len(frames):
        length = frames[start + 1]
        start += 2
        if length > _SHORT:
            size = 2 if length == _SHORT + 1 else 8
            length = int.from_bytes(frames[start : start + size], "big")
            start += size
        yield frames[start : start + length]
        start += length


def _head(first_byte: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes((first_byte, length))
    if length <= _MEDIUM:
        return struct.pack(">BBH", first_byte, 126, length)
    return struct.pack(">BBQ", first_byte, 127, length)
