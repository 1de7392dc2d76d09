"""What the clients of a load test write, and how they read what comes back: Phoenix's V2 protocol. Pure."""

import base64
import hashlib
import json
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


def topic_of(room: int) -> str:
    """The topic of a room; all topics are as long."""
    return f"room:{room:06d}"


def join_text(topic: str, ref: int = 1) -> bytes:
    return b'["%d","%d","%b","phx_join",{}]' % (ref, ref, topic.encode())


def leave_text(topic: str, join_ref: int) -> bytes:
    return b'["%d","%d","%b","phx_leave",{}]' % (join_ref, join_ref, topic.encode())


def heartbeat_text() -> bytes:
    return b'[null,"9","phoenix","heartbeat",{}]'


def client_frame(text: bytes, mask: bytes) -> bytes:
    """A text message in one masked frame."""
    return _head(len(text), _MASKED) + mask + unmasked(text, mask)


def text_frame(text: bytes) -> bytes:
    """The same as a server sends it."""
    return _head(len(text), 0) + text


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """A payload masked, or a masked one as it was."""
    return (int.from_bytes(payload) ^ int.from_bytes(_repeated(mask, len(payload)))).to_bytes(len(payload))


class StampedPush:
    """A push that is ready but for its stamp: masked once, a few operations a message."""

    __slots__ = ("_head", "_key", "_tail")

    def __init__(self, topic: str, event: str, payload_bytes: int, mask: bytes) -> None:
        text = b'["1","5","%b","%b",%b]' % (topic.encode(), event.encode(), _payload(_BLANK, payload_bytes))
        frame = client_frame(text, mask)
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


def _head(length: int, masked: int) -> bytes:
    if length <= 125:
        return struct.pack(">BB", 0x80 | TEXT, masked | length)
    if length <= 0xFFFF:
        return struct.pack(">BBH", 0x80 | TEXT, masked | 126, length)
    return struct.pack(">BBQ", 0x80 | TEXT, masked | 127, length)


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
    bounds = _bounds(data)
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
    bounds = _bounds(data, mask_bytes=4)
    if bounds is None:
        return None
    start, end = bounds
    return unmasked(data[start:end], data[start - 4 : start]), data[end:]


def _bounds(data: bytes, mask_bytes: int = 0) -> tuple[int, int] | None:
    """Where the first frame's payload starts and ends, if it is whole."""
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
    return (end - length, end) if len(data) >= end else None


class Shape(NamedTuple):
    """How a server's stamped frames look: one like the other but for topic and stamp, however it encodes them."""

    topic: bytes
    head: bytes
    tail: bytes

    @classmethod
    def of(cls, frame: bytes, topic: str, event: str, payload_bytes: int) -> Self:
        """Learn it from one frame. Raises ValueError if that is not what a stamped push brings about."""
        stamp = _STAMPED.search(frame)
        if stamp is None or not _answers(frame, topic, event, _payload(stamp.group(), payload_bytes)):
            raise ValueError(f"{frame!r} is not the {event} of {payload_bytes} bytes that was pushed to {topic}")
        return cls(topic.encode(), frame[: stamp.start()], frame[stamp.end() :])

    def in_room(self, topic: str) -> Self:
        """The same for another room."""
        name = topic.encode()
        return type(self)(name, self.head.replace(self.topic, name), self.tail.replace(self.topic, name))

    @property
    def length(self) -> int:
        return len(self.head) + STAMP_BYTES + len(self.tail)


def _answers(frame: bytes, topic: str, event: str, payload: bytes) -> bool:
    """Whether a frame is the broadcast of a push, or the reply to it."""
    frames, rest = cut_frames(frame)
    if len(frames) != 1 or rest or frames[0].opcode != TEXT:
        return False
    message = json.loads(frames[0].payload)
    body = {"status": "ok", "response": json.loads(payload)}
    return message[2:] in ([topic, event, json.loads(payload)], [topic, "phx_reply", body])
