"""A client on its way in: connected, upgraded, joined; each step as soon as the one before is answered."""

import errno
import os
import select
import socket
import time
from typing import Final

from tests.load.dialects.dialect import Dialect, Dialogue, Refused
from tests.load.orders import Address
from tests.load.wire import CLOSE, NotWebSocket, check_handshake, client_frame, cut_frame, handshake

CONNECT_LIMIT: Final = 30.0
"""Seconds in which the kernel must have connected; on one machine it takes microseconds or is refused."""
_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""Linux's option (in Python 3.12 and later by name): the port is chosen at connect, so 28,000 are free for each
target."""
_END_OF_HEAD: Final = b"\r\n\r\n"


class TurnedAway(Exception):
    """The server did not let a client in, or not any more; the text says why."""


class Newcomer:
    """One client until it has joined its room."""

    __slots__ = ("_dialect", "_dialogue", "began", "rest", "room", "socket")

    def __init__(self, address: Address, source: str | None, room: int, dialect: Dialect) -> None:
        """Connect and ask for a WebSocket. Raises TurnedAway."""
        self.began = time.monotonic_ns()
        self.room = room
        self.rest = b""
        """What has come and is not read; once the client has joined, what followed the reply."""
        self._dialect = dialect
        self._dialogue: Dialogue | None = None
        """What is said once the connection is a WebSocket."""
        self.socket = _connected(address, source)
        try:
            self._write(handshake(address.host, address.port, dialect.path(address.path, room)))
        except TurnedAway:
            self.socket.close()
            raise

    def advance(self) -> bool:
        """Something has come; returns whether the client has joined now. Raises TurnedAway."""
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return False
        except OSError as error:
            raise TurnedAway(f"the connection broke: {error.strerror}") from None
        if not data:
            raise TurnedAway("the server closed the connection")
        self.rest += data
        return self._upgrade() if self._dialogue is None else self._joined(self._dialogue)

    def _upgrade(self) -> bool:
        head, end, rest = self.rest.partition(_END_OF_HEAD)
        if not end:
            return False
        try:
            check_handshake(head)
        except NotWebSocket as error:
            raise TurnedAway(f"the server answered the handshake with {error}") from None
        self._dialogue, self.rest = self._dialect.join(self.room), rest
        try:
            self._say(next(self._dialogue))
        except StopIteration:
            return True
        return self._joined(self._dialogue)

    def _joined(self, dialogue: Dialogue) -> bool:
        while (cut := cut_frame(self.rest)) is not None:
            frame, self.rest = cut
            if frame.opcode == CLOSE:
                raise TurnedAway("the server closed the WebSocket")
            try:
                self._say(dialogue.send(frame))
            except StopIteration:
                return True
            except Refused as answer:
                raise TurnedAway(f"the server refused the join: {answer}") from None
        return False

    def _say(self, text: bytes) -> None:
        if text:
            self._write(client_frame(text, os.urandom(4), self._dialect.opcode))

    def _write(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except OSError as error:
            raise TurnedAway(f"the connection broke: {error.strerror}") from None


def _connected(address: Address, source: str | None) -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source is not None:
            client.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((source, 0))
        error = client.connect_ex((address.host, address.port))
        if error == errno.EINPROGRESS:
            error = _outcome(client)
    except OSError as failure:
        client.close()
        raise TurnedAway(f"cannot connect: {failure.strerror}") from None
    if error:
        client.close()
        raise TurnedAway(f"cannot connect: {os.strerror(error)}")
    return client


def _outcome(client: socket.socket) -> int:
    """Wait for a connect that the kernel could not finish at once."""
    waiting = select.poll()
    waiting.register(client, select.POLLOUT)
    if not waiting.poll(CONNECT_LIMIT * 1000):
        return errno.ETIMEDOUT
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
