"""A client that has joined rooms and accounts for every message in them."""

import os
import socket
from typing import Final

from tests.load.dialects.phoenix import join_text, topic_of
from tests.load.histogram import Histogram
from tests.load.orders import LoadTestFailed
from tests.load.server import SOCKET_PATH
from tests.load.wire import STAMP_BYTES, Shape, check_handshake, client_frame, cut_frame, handshake, read_stamp

READ: Final = 1 << 18
ANSWER_LIMIT: Final = 30.0
"""Seconds in which a node answers a join."""
END_OF_HEAD: Final = b"\r\n\r\n"
COMMON: Final = b'"room:'
"""All deliveries are alike up to here."""


def connect(port: int) -> socket.socket:
    """A WebSocket of a node, blocking. Raises NotWebSocket, OSError."""
    connection = socket.create_connection(("127.0.0.1", port), ANSWER_LIMIT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(handshake("127.0.0.1", port, SOCKET_PATH))
    head = b""
    while END_OF_HEAD not in head:
        head += _some(connection)
    check_handshake(head)
    return connection


def framed(text: bytes) -> bytes:
    """As a client sends it."""
    return client_frame(text, os.urandom(4))


class Listener:
    """Messages are numbered from 1 and go round the rooms; each room's come in order, and once."""

    def __init__(self, node: int, port: int, rooms: int) -> None:
        """Connect and join them all."""
        self.node = node
        self.latency = Histogram()
        """From when a message was due to its receipt."""
        self.received = 0
        self.duplicated = 0
        self.connection = connect(port)
        self._rooms = rooms
        self._last = [0, *(room - rooms for room in range(1, rooms))]
        """The highest number received in each room."""
        self._rest = b""
        self._length = self._stamp = 0
        """Of a delivery, and where in it the stamp begins; 0 until one was seen."""
        self._head = b""
        self._join()
        self.connection.settimeout(0)

    def receive(self, now: int) -> None:
        """Read what has come. Raises LoadTestFailed if it is something else than deliveries."""
        try:
            data = self._rest + _some(self.connection)
        except BlockingIOError:
            return
        if not self._length and not self._learn(data):
            self._rest = data
            return
        whole = len(data) - len(data) % self._length
        for at in range(0, whole, self._length):
            if not data.startswith(self._head, at):
                raise LoadTestFailed(f"a client was sent {data[at : at + self._length]!r}")
            stamp = at + self._stamp
            due, number = read_stamp(data[stamp : stamp + STAMP_BYTES])
            self._account(number)
            self.latency.record(max(0, now - due))
        self._rest = data[whole:]

    def _account(self, number: int) -> None:
        room = number % self._rooms
        if number > self._last[room]:
            self._last[room] = number
            self.received += 1
        else:
            self.duplicated += 1

    def _learn(self, data: bytes) -> bool:
        cut = cut_frame(data)
        if cut is None:
            return False
        self._length = len(data) - len(cut[1])
        shape = Shape.of(data[: self._length])
        self._stamp = len(shape.head)
        self._head = shape.head[: shape.head.index(COMMON) + len(COMMON)]
        return True

    def _join(self) -> None:
        for room in range(self._rooms):
            self.connection.sendall(framed(join_text(topic_of(room))))
        data = b""
        for _ in range(self._rooms):
            while (cut := cut_frame(data)) is None:
                data += _some(self.connection)
            frame, data = cut
            if b'"status":"ok"' not in frame.payload:
                raise LoadTestFailed(f"a join was answered {frame.payload!r}")


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(READ)
    if not data:
        raise LoadTestFailed("a node closed a client's connection")
    return data
