"""NATS: its lines over its WebSocket, where one frame carries as many messages as there are at the time."""

import os
import socket
from typing import Final

from tests.load.dialects.dialect import Dialogue, Receive, Refused
from tests.load.wire import client_frame, frame_bounds

_BINARY: Final = 2
_PING: Final = b"PING\r\n"
_PONG: Final = b"PONG\r\n"
_LINE: Final = b"\r\n"


class Nats:
    """A room is a subject. There is no echo: a client that is alone in its room hears what it says."""

    opcode = _BINARY
    unasked = True

    def path(self, given: str, _room: int) -> str:
        return given

    def join(self, room: int) -> Dialogue:
        yield b""  # the server speaks first
        subject = self.topic(room).encode()
        frame = yield b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB %b 1\r\nPING\r\n' % subject
        while _PONG not in frame.payload:
            if b"-ERR" in frame.payload:
                raise Refused(frame.payload.decode(errors="replace"))
            frame = yield b""

    def push(self, room: int, _event: str, payload: bytes) -> bytes:
        return b"PUB %b %d\r\n%b\r\n" % (self.topic(room).encode(), len(payload), payload)

    def brings_about(self, delivery: bytes, room: int, _event: str, payload: bytes) -> bool:
        return delivery == b"MSG %b 1 %d\r\n%b\r\n" % (self.topic(room).encode(), len(payload), payload)

    def topic(self, room: int) -> str:
        return f"room.{room:06d}"

    def receiver(self, client: socket.socket) -> Receive:
        return Lines(client)

    def first_delivery(self, heard: bytes) -> bytes | None:
        head, line, _ = heard.partition(_LINE)
        whole = len(head) + int(head.rpartition(b" ")[2]) + 2 * len(_LINE) if line else 0
        return heard[:whole] if 0 < whole <= len(heard) else None


class Lines:
    """Called instead of the socket's own receive: leaves in the buffer what frames carry, without their heads, and
    answers the one ping that a server sends soon after a client has come."""

    __slots__ = ("_client", "_head", "_left", "_pinged")

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._left = 0
        """What is still to come of the frame under way."""
        self._head = b""
        """A frame's head that is not whole."""
        self._pinged = False

    def __call__(self, buffer: memoryview) -> int:
        """Raises BlockingIOError if what has come carries nothing."""
        size = self._client.recv_into(buffer)
        if not size:
            return 0
        carried = self._carried(bytes(buffer[:size]))
        if not self._pinged and _PING in carried:
            self._pinged = True
            self._client.send(client_frame(_PONG, os.urandom(4), _BINARY))
            carried = carried.replace(_PING, b"")
        if not carried:
            raise BlockingIOError
        buffer[: len(carried)] = carried
        return len(carried)

    def _carried(self, data: bytes) -> bytes:
        if not self._left and not self._head and (bounds := frame_bounds(data)) and bounds[1] == len(data):
            return data[bounds[0] :]  # as it nearly always is: one whole frame
        data = self._head + data
        self._head = b""
        parts = [data[: self._left]]
        at = self._left
        while at < len(data):
            bounds = frame_bounds(data[at : at + 10], whole=False)
            if bounds is None:
                self._head = data[at:]
                break
            start, end = bounds
            parts.append(data[at + start : at + end])
            at += end
        self._left = max(0, at - len(data))
        return b"".join(parts)
