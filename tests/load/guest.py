"""A client of the presence test: joins and leaves one topic, counts what it is sent, keeps no large frames."""

import json
import os
import socket
from typing import Any, Final, NamedTuple

from tests.load.orders import Address, LoadTestFailed
from tests.load.wire import check_handshake, client_frame, handshake

TOPIC: Final = "crowd:main"
KEPT_BYTES: Final = 1 << 16
"""Longer frames are only counted, unless a guest keeps all."""
_READ_BYTES: Final = 1 << 20
_KINDS: Final = ("presence_state", "presence_diff", "phx_reply", "phx_close", "phx_error")
_HEAD_BYTES: Final = 96
"""By which a message's kind is known."""


class Heard(NamedTuple):
    """One message."""

    kind: str
    size: int
    payload: Any
    """None of one that was not kept."""


class Guest:
    """One connection."""

    def __init__(self, address: Address, *, keeps_all: bool = False) -> None:
        self._keeps_all = keeps_all
        self._buffer = bytearray()
        self._skipping = 0
        self._skipped = Heard("", 0, None)
        self._ref = 0
        self.socket = socket.create_connection((address.host, address.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(handshake(address.host, address.port, address.path))
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(4096)
        check_handshake(head)
        self.socket.settimeout(0)

    def join(self, **params: str) -> None:
        self._ref += 1
        self._send("phx_join", params)

    def leave(self) -> None:
        self._send("phx_leave", {})

    def push(self, event: str, payload: Any) -> None:
        self._send(event, payload)

    def close(self) -> None:
        self.socket.close()

    def read(self) -> list[Heard]:
        """What has come. Raises LoadTestFailed if the server has closed the connection."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        if not data:
            raise LoadTestFailed("the server cut a client off")
        heard: list[Heard] = []
        skipped = min(self._skipping, len(data))
        if skipped:
            self._skipping -= skipped
            if not self._skipping:
                heard.append(self._skipped)
        self._buffer += data[skipped:]
        while self._cut(heard):
            pass
        return heard

    def _send(self, event: str, payload: Any) -> None:
        text = json.dumps([str(self._ref), str(self._ref), TOPIC, event, payload]).encode()
        self.socket.send(client_frame(text, os.urandom(4)))

    def _cut(self, heard: list[Heard]) -> bool:
        """Take one message off the buffer, or begin to skip it; answers whether there may be another."""
        buffer = self._buffer
        if len(buffer) < 10:
            return False if len(buffer) < 2 or len(buffer) < 2 + buffer[1] else self._take(heard, 2, buffer[1])
        size = {126: 2, 127: 8}.get(buffer[1], 0)
        length = int.from_bytes(buffer[2 : 2 + size]) if size else buffer[1]
        return self._take(heard, 2 + size, length)

    def _take(self, heard: list[Heard], start: int, length: int) -> bool:
        buffer = self._buffer
        end = start + length
        if len(buffer) >= end:
            text = bytes(buffer[start:end])
            del buffer[:end]
            keeps = self._keeps_all or length <= KEPT_BYTES
            heard.append(Heard(_kind(text), end, json.loads(text)[4] if keeps else None))
            return bool(buffer)
        if length > KEPT_BYTES and not self._keeps_all and len(buffer) >= start + _HEAD_BYTES:
            self._skipped = Heard(_kind(bytes(buffer[start : start + _HEAD_BYTES])), end, None)
            self._skipping = end - len(buffer)
            buffer.clear()
        return False


def _kind(text: bytes) -> str:
    head = text[:_HEAD_BYTES].decode(errors="replace")
    return next((kind for kind in _KINDS if f'"{kind}"' in head), "other")
