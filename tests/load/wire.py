"""WebSocket frames and the stamps in them, as the clients of a load test write and read them. Pure."""

import base64
import hashlib
import re
import struct
from typing import Final, NamedTuple, Self

STAMP_BYTES: Final = 28
"""A stamp is when a message was due, in ns of the monotonic clock, and its number; always as long, so that all frames
of a room are."""
_STAMP: Final = b"%018d.%09d"
_STAMPED: Final = re.compile(rb"[0-9]{18}\.[0-9]{9}")
_BLANK: Final = b"." * STAMP_BYTES
_CLOCK_DIGITS: Final = 18
_BARE_PAYLOAD: Final = len(b'{"s":""}') + STAMP_BYTES
_FILLER: Final = len(b',"f":""')
MIN_PAYLOAD_BYTES: Final = _BARE_PAYLOAD + _FILLER

TEXT: Final = 1
CLOSE: Final = 8
_MASKED: Final = 0x80

_KEY: Final = b"bG9hZCB0ZXN0cyAyMDI1IQ=="
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_ACCEPT: Final = base64.b64encode(hashlib.sha1(_KEY + _GUID).digest())


class NotWebSocket(Exception):
    """The server answered something else than a WebSocket server would."""


# The handshake


def handshake(host: str, port: int, path: str) -> bytes:
    """The request that opens a connection."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {_KEY.decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def accept_key(key: bytes) -> bytes:
    """What a server answers to a client's key."""
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())


def check_handshake(response: bytes) -> None:
    """Raises NotWebSocket unless the server agrees."""
    if not response.startswith(b"HTTP/1.1 101 ") or _ACCEPT not in response:
        raise NotWebSocket(response.partition(b"\r\n")[0].decode(errors="replace"))


# What a client writes


def client_frame(text: bytes, mask: bytes, opcode: int = TEXT) -> bytes:
    """A message in one masked frame."""
    return _head(len(text), _MASKED, opcode) + mask + unmasked(text, mask)


def text_frame(text: bytes) -> bytes:
    """The same as a server sends it."""
    return _head(len(text), 0, TEXT) + text


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """A payload masked, or a masked one as it was."""
    return (int.from_bytes(payload) ^ int.from_bytes(_repeated(mask, len(payload)))).to_bytes(len(payload))


class StampedPush:
    """A push that is ready but for its stamp: masked once, a few operations a message."""

    __slots__ = ("_head", "_key", "_tail")

    def __init__(self, text: bytes, mask: bytes, opcode: int = TEXT) -> None:
        """The text has a blank payload in it."""
        frame = client_frame(text, mask, opcode)
        at = text.index(_BLANK)
        hole = len(frame) - len(text) + at
        self._head = frame[:hole]
        self._tail = frame[hole + STAMP_BYTES :]
        self._key = int.from_bytes(_repeated(mask, at + STAMP_BYTES)[at:])

    def frame(self, due: int, number: int) -> bytes:
        """The frame of one message."""
        stamp = int.from_bytes(_STAMP % (due, number)) ^ self._key
        return self._head + stamp.to_bytes(STAMP_BYTES) + self._tail


def read_stamp(stamp: bytes) -> tuple[int, int]:
    """When a message was due, and its number. Raises ValueError."""
    return int(stamp[:_CLOCK_DIGITS]), int(stamp[_CLOCK_DIGITS + 1 :])


def _head(length: int, masked: int, opcode: int) -> bytes:
    if length <= 125:
        return struct.pack(">BB", 0x80 | opcode, masked | length)
    if length <= 0xFFFF:
        return struct.pack(">BBH", 0x80 | opcode, masked | 126, length)
    return struct.pack(">BBQ", 0x80 | opcode, masked | 127, length)


def blank_payload(size: int) -> bytes:
    """A payload whose stamp is still to be filled in. Raises ValueError if the size is too small."""
    return _payload(_BLANK, size)


def _payload(stamp: bytes, size: int) -> bytes:
    if size < MIN_PAYLOAD_BYTES:
        raise ValueError(f"a payload of {size} bytes is too small for its stamp: {MIN_PAYLOAD_BYTES} are needed")
    return b'{"s":"%b","f":"%b"}' % (stamp, b"x" * (size - MIN_PAYLOAD_BYTES))


def _repeated(mask: bytes, length: int) -> bytes:
    return (mask * (length // 4 + 1))[:length]


# What a client reads


class ServerFrame(NamedTuple):
    """One unmasked frame."""

    opcode: int
    payload: bytes


def cut_frame(data: bytes) -> tuple[ServerFrame, bytes] | None:
    """The frame at the start of the bytes, if it is whole, and what follows it."""
    bounds = frame_bounds(data)
    if bounds is None:
        return None
    start, end = bounds
    return ServerFrame(data[0] & 0x0F, data[start:end]), data[end:]


def cut_frames(data: bytes) -> tuple[list[ServerFrame], bytes]:
    """All whole frames at the start of the bytes, and what is left of them."""
    frames = []
    while (cut := cut_frame(data)) is not None:
        frame, data = cut
        frames.append(frame)
    return frames, data


def cut_client_text(data: bytes) -> tuple[bytes, bytes] | None:
    """The text of the client's frame at the start of the bytes, if it is whole, and what follows it."""
    bounds = frame_bounds(data, mask_bytes=4)
    if bounds is None:
        return None
    start, end = bounds
    return unmasked(data[start:end], data[start - 4 : start]), data[end:]


def frame_bounds(data: bytes, mask_bytes: int = 0, *, whole: bool = True) -> tuple[int, int] | None:
    """Where the first frame's payload starts and ends, if it is there, or, on demand, if its head is."""
    if len(data) < 2:
        return None
    start, length = 2, data[1] & ~_MASKED
    if length >= 126:
        size = 2 if length == 126 else 8
        start = 2 + size
        if len(data) < start:
            return None
        length = int.from_bytes(data[2:start])
    end = start + mask_bytes + length
    return (end - length, end) if len(data) >= end or not whole else None


class Shape(NamedTuple):
    """How a room's stamped deliveries look: one like the other but for the stamp, however a server encodes them."""

    head: bytes
    tail: bytes
    stamp: bytes
    """Of the delivery that it was learnt from."""

    @classmethod
    def of(cls, delivery: bytes) -> Self:
        """Learn it from one delivery. Raises ValueError if there is no stamp in it."""
        stamp = _STAMPED.search(delivery)
        if stamp is None:
            raise ValueError(f"{delivery!r} has no stamp")
        return cls(delivery[: stamp.start()], delivery[stamp.end() :], stamp.group())

    def payload(self, size: int) -> bytes:
        """The payload that must have been pushed."""
        return _payload(self.stamp, size)

    def renamed(self, topic: str, other: str) -> Self:
        """The same for another room, whose name is as long."""
        old, new = topic.encode(), other.encode()
        return self._replace(head=self.head.replace(old, new), tail=self.tail.replace(old, new))

    @property
    def length(self) -> int:
        return len(self.head) + STAMP_BYTES + len(self.tail)
