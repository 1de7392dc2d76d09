"""The floor: a bare process that only writes ready frames to sockets, for the same clients and the same work.

It speaks just enough of the protocol to be driven: a handshake, a reply to every join and heartbeat, and for each
message one `os.write` of finished bytes to every member of its room. Nothing is checked, kept or promised. For more
clients than a process has descriptors there are several, which share a port and hand each other every message as one
datagram.
"""

import contextlib
import os
import select
import socket
import sys
from pathlib import Path
from typing import Final, NoReturn

from tests.load.wire import accept_key, cut_client_text, text_frame

BACKLOG: Final = 4096
_END_OF_HEAD: Final = b"\r\n\r\n"
_JOIN: Final = b'"phx_join"'
_PING: Final = b'"ping"'
_HEARTBEAT: Final = b'"phoenix","heartbeat"'
_MOST_BYTES: Final = 128 * 1024
"""Of what one process hands another."""


class Floor:
    """One loop over all sockets."""

    def __init__(self, listener: socket.socket, inbox: socket.socket, others: list[str], alive: int | None) -> None:
        """`others` are where the other processes' inboxes are bound; when `alive` can be read, all is over."""
        self._listener = listener
        self._inbox = inbox
        self._others = others
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._epoll.register(inbox, select.EPOLLIN)
        self._alive = alive
        if alive is not None:
            self._epoll.register(alive, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._data: dict[int, bytes] = {}
        """What is not handled yet; a key is there once the handshake is done."""
        self._rooms: dict[bytes, dict[int, None]] = {}

    def serve(self) -> NoReturn:
        """Until the process is stopped."""
        while True:
            for descriptor, _ in self._epoll.poll():
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor == self._inbox.fileno():
                    self._take()
                elif descriptor == self._alive:
                    sys.exit()
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
            if _HEARTBEAT in text:
                os.write(descriptor, _reply(b"phoenix", b"9", b"{}"))
                continue
            topic = text.split(b'"', 6)[5]
            if _JOIN in text:
                self._rooms.setdefault(topic, {})[descriptor] = None
                os.write(descriptor, _reply(topic, b"1", b"{}"))
            elif _PING in text:
                os.write(descriptor, _reply(topic, b"5", _payload(text)))
            else:
                frame = text_frame(b'[null,null,"' + topic + b'","new_msg",' + _payload(text) + b"]")
                frames[topic] = frames.get(topic, b"") + frame
        self._data[descriptor] = data
        for topic, joined in frames.items():
            for other in self._others:
                self._inbox.sendto(topic + b"\n" + joined, other)
            self._deliver(topic, joined)

    def _take(self) -> None:
        """What a client of another process has sent."""
        topic, _, joined = self._inbox.recv(_MOST_BYTES).partition(b"\n")
        self._deliver(topic, joined)

    def _deliver(self, topic: bytes, frames: bytes) -> None:
        write = os.write
        for member in self._rooms.get(topic, ()):
            try:
                write(member, frames)
            except OSError:
                pass  # its end is read, too

    def _close(self, descriptor: int) -> None:
        self._data.pop(descriptor, None)
        for members in self._rooms.values():
            members.pop(descriptor, None)
        self._clients.pop(descriptor).close()


def _payload(text: bytes) -> bytes:
    return text[text.index(b"{") : -1]


def _reply(topic: bytes, ref: bytes, response: bytes) -> bytes:
    status = b'"phx_reply",{"status":"ok","response":' + response + b"}]"
    return text_frame(b'["1","' + ref + b'","' + topic + b'",' + status)


def main(folder: Path, processes: int) -> None:
    """Serve on a free port, named in the folder, with so many processes: one session, as all workers of a node are."""
    alive, parent = os.pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG, reuse_port=True) as listener:
        port = listener.getsockname()[1]
        for place in range(1, processes):
            if not os.fork():
                os.close(parent)
                listener.close()
                with socket.create_server(("127.0.0.1", port), backlog=BACKLOG, reuse_port=True) as own:
                    serve(folder, place, processes, own, alive)
        (folder / "port").write_text(str(port))
        serve(folder, 0, processes, listener, None)


def serve(folder: Path, place: int, processes: int, listener: socket.socket, alive: int | None) -> NoReturn:
    """Be one of them until the process is stopped, or its parent is: then `alive` can be read."""
    listener.settimeout(0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(folder / f"{place}.inbox"))
        others = [str(folder / f"{other}.inbox") for other in range(processes) if other != place]
        floor = Floor(listener, inbox, others, alive)
        written = folder / f"{place}.new"
        written.write_text(str(os.getpid()))
        written.rename(folder / f"{place}.pid")
        floor.serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
