"""The floor: a bare process that only writes ready frames to sockets, for the same clients and the same work.

It speaks just enough of the protocol to be driven: a handshake, a reply to every join, and for each message one
`os.write` of finished bytes to every member of its room. Nothing is checked, kept or promised.
"""

import contextlib
import os
import select
import socket
import sys
from pathlib import Path
from typing import Final

from tests.load.wire import accept_key, cut_client_text, text_frame

BACKLOG: Final = 4096
_END_OF_HEAD: Final = b"\r\n\r\n"
_JOIN: Final = b'"phx_join"'
_PING: Final = b'"ping"'


class Floor:
    """One loop over all sockets."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._data: dict[int, bytes] = {}
        """What is not handled yet; a key is there once the handshake is done."""
        self._rooms: dict[bytes, list[int]] = {}

    def serve(self) -> None:
        """Until the process is stopped."""
        while True:
            for descriptor, _ in self._epoll.poll():
                if descriptor == self._listener.fileno():
                    self._accept()
                else:
                    self._read(descriptor)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self._listener.accept()
                client.settimeout(None)  # a full socket holds the loop up, so that nothing is lost
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients[client.fileno()] = client
                self._epoll.register(client, select.EPOLLIN)

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, 65536)
        except OSError:
            data = b""
        if not data:
            self._close(descriptor)
        elif descriptor in self._data:
            self._messages(descriptor, self._data[descriptor] + data)
        elif data.endswith(_END_OF_HEAD):
            self._data[descriptor] = b""
            key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            os.write(
                descriptor,
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_key(key) + _END_OF_HEAD,
            )

    def _messages(self, descriptor: int, data: bytes) -> None:
        """What came in one read goes out in one write to each member."""
        frames: dict[bytes, bytes] = {}
        while (message := cut_client_text(data)) is not None:
            text, data = message
            topic = text.split(b'"', 6)[5]
            if _JOIN in text:
                self._rooms.setdefault(topic, []).append(descriptor)
                os.write(descriptor, _reply(topic, b"1", b"{}"))
            elif _PING in text:
                os.write(descriptor, _reply(topic, b"5", _payload(text)))
            else:
                frame = text_frame(b'[null,null,"' + topic + b'","new_msg",' + _payload(text) + b"]")
                frames[topic] = frames.get(topic, b"") + frame
        self._data[descriptor] = data
        write = os.write
        for topic, joined in frames.items():
            for member in self._rooms[topic]:
                try:
                    write(member, joined)
                except OSError:
                    pass  # its end is read, too

    def _close(self, descriptor: int) -> None:
        self._data.pop(descriptor, None)
        for members in self._rooms.values():
            if descriptor in members:
                members.remove(descriptor)
        self._clients.pop(descriptor).close()


def _payload(text: bytes) -> bytes:
    return text[text.index(b"{") : -1]


def _reply(topic: bytes, ref: bytes, response: bytes) -> bytes:
    status = b'"phx_reply",{"status":"ok","response":' + response + b"}]"
    return text_frame(b'["1","' + ref + b'","' + topic + b'",' + status)


def main(port_file: str) -> None:
    """Serve on a free port, named in a file."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        listener.settimeout(0)
        written = Path(port_file + ".new")
        written.write_text(str(listener.getsockname()[1]))
        written.rename(port_file)
        Floor(listener).serve()


if __name__ == "__main__":
    main(sys.argv[1])
