"""What a load test must know of a server's protocol to join a room, send into it and recognise what comes of that."""

import socket
from collections.abc import Callable, Generator
from typing import Protocol

from tests.load.wire import ServerFrame, cut_frame

Receive = Callable[[memoryview], int]
"""Reads what has come into a buffer, returns the number of bytes."""

Dialogue = Generator[bytes, ServerFrame, None]
"""A client on its way into its room: yields what to send, nothing if there is nothing to say, and is sent the next
frame; it is in when the dialogue ends."""


class Refused(Exception):
    """The server does not let a client into its room; the text is its answer."""


class Dialect(Protocol):
    """One protocol. An object of it goes to other processes, so it keeps nothing."""

    opcode: int
    """Of the frames that clients send."""
    unasked: bool
    """Whether a server says something to clients that are in before anybody has sent into their room."""

    def path(self, given: str, room: int) -> str:
        """Where a client of a room asks for a WebSocket, if this is the path of the server."""

    def join(self, room: int) -> Dialogue:
        """What follows the handshake. The dialogue raises Refused."""

    def push(self, room: int, event: str, payload: bytes) -> bytes:
        """The text that sends a payload into the room, or asks for it back if the event is `ping`."""

    def brings_about(self, delivery: bytes, room: int, event: str, payload: bytes) -> bool:
        """Whether a delivery is what comes of such a push."""

    def topic(self, room: int) -> str:
        """What deliveries call a room; all names are as long."""

    def receiver(self, client: socket.socket) -> Receive:
        """Reads from a client's connection, once it is in, nothing but deliveries: all of a room are as long."""

    def first_delivery(self, heard: bytes) -> bytes | None:
        """The delivery that the bytes begin with, if it is whole."""


class Framed:
    """What protocols have in common whose deliveries are frames: one of them each."""

    unasked = False

    def path(self, given: str, _room: int) -> str:
        return given

    def receiver(self, client: socket.socket) -> Receive:
        return client.recv_into

    def first_delivery(self, heard: bytes) -> bytes | None:
        cut = cut_frame(heard)
        return heard[: len(heard) - len(cut[1])] if cut else None


def text_of(delivery: bytes) -> bytes:
    """What the one frame carries that a delivery is; nothing if it is something else."""
    cut = cut_frame(delivery)
    return cut[0].payload if cut and not cut[1] else b""
