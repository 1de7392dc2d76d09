"""Raw ZeroMQ sockets of the bus, drained and written without waiting. No decisions here.

Never `zmq.asyncio`, which receives a fifth as fast. A socket's descriptor is edge-triggered: after any send or
receive its owner must ask `readable` again before it sleeps.
"""

from collections.abc import Iterator
from typing import Final, cast

import zmq

# As plain numbers: asked of ZeroMQ's enums every time, they cost as much as the system call.
_EVENTS: Final = int(zmq.EVENTS)
_POLLIN: Final = int(zmq.POLLIN)


def _socket(context: "zmq.Context[zmq.Socket[bytes]]", kind: int) -> "zmq.Socket[bytes]":
    socket = context.socket(kind)
    socket.linger = 0
    # No high-water mark: the protocol's windows bound what is queued, and a mark would drop where nobody counts.
    socket.sndhwm = socket.rcvhwm = 0
    return socket


class _Pump:
    """What both ends have in common."""

    def __init__(self, socket: "zmq.Socket[bytes]") -> None:
        self.socket = socket
        self.descriptor = cast("int", socket.get(zmq.FD))

    def readable(self) -> bool:
        """Whether something waits to be received."""
        return bool(cast("int", self.socket.get(_EVENTS)) & _POLLIN)

    def close(self) -> None:
        """Drop the socket and whatever it still had to send."""
        self.socket.close(linger=0)


class Dealer(_Pump):
    """A worker's end of one session. Every session has a new socket and an identity of its own."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", path: str, worker: int, session: int) -> None:
        socket = _socket(context, zmq.DEALER)
        socket.routing_id = b"%d.%d" % (worker, session)
        # The shard may not have bound yet: try again soon, it starts within a fraction of a second.
        socket.reconnect_ivl = 10
        socket.connect(f"ipc://{path}")
        super().__init__(socket)

    def drain(self) -> Iterator[bytes]:
        """The parcels that have arrived."""
        while self.readable():
            yield self.socket.recv(zmq.NOBLOCK)

    def send(self, parcel: bytes) -> None:
        """Queue a parcel; ZeroMQ's I/O thread writes it."""
        self.socket.send(parcel, zmq.NOBLOCK)


class Router(_Pump):
    """A shard's end of all sessions."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", path: str) -> None:
        socket = _socket(context, zmq.ROUTER)
        socket.router_mandatory = True
        socket.bind(f"ipc://{path}")
        super().__init__(socket)

    def drain(self, limit: int) -> Iterator[tuple[int, int, bytes]]:
        """At most `limit` of the parcels that have arrived, each with its worker and session."""
        socket = self.socket
        while limit and self.readable():
            limit -= 1
            identity = socket.recv(zmq.NOBLOCK)
            parcel = socket.recv(zmq.NOBLOCK)
            worker, session = identity.split(b".")
            yield int(worker), int(session), parcel

    def send(self, worker: int, session: int, parcel: bytes) -> None:
        """Queue a parcel for a session. No route means nothing: what matters is kept until acknowledged."""
        try:
            self.socket.send(b"%d.%d" % (worker, session), zmq.SNDMORE | zmq.NOBLOCK)
            self.socket.send(parcel, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
