"""The clients of one generator process: they join as fast as the server allows, and are kept by descriptor."""

import contextlib
import resource
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from itertools import cycle
from typing import Final

from tests.load.board import Board, Tally
from tests.load.client import Newcomer, TurnedAway
from tests.load.dialects.dialect import Dialect, Receive
from tests.load.orders import Address, Join, Joined, LoadTestFailed, Seat

RETRY_PAUSE: Final = 0.02
"""Seconds before whom the server turned away comes back, as when it is not listening yet."""

STANDSTILL: Final = 10.0
"""Seconds without a single join in which attempts were turned away; then joining is given up, for a server that lets
nobody in would otherwise be asked until the time is up."""


def unreadable(buffer: memoryview) -> int:
    """Stands for descriptors that are no client's."""
    raise AssertionError("read from a descriptor that is no client's")


class Crowd:
    """Connected clients. What belongs to one of them is found in lists by its descriptor."""

    def __init__(
        self, address: Address, dialect: Dialect, sources: tuple[str, ...], board: Board, process: int
    ) -> None:
        """With no sources, the kernel chooses the address that clients connect from; else they take turns."""
        self.address = address
        self.dialect = dialect
        self.sources: Iterator[str | None] = cycle(sources or (None,))
        self.board = board
        self.process = process
        self.capacity = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.epoll = select.epoll()
        self.seats: tuple[Seat, ...] = ()
        self.sockets: dict[int, socket.socket] = {}
        self.members: dict[int, list[int]] = {}
        """The descriptors in each room, in the order of joining."""
        self.disconnected = 0
        """Clients that the server has cut off."""

    def receivers(self) -> list[Receive]:
        """What reads from each descriptor."""
        receivers: list[Receive] = [unreadable] * self.capacity
        for descriptor, client in self.sockets.items():
            receivers[descriptor] = self.dialect.receiver(client)
        return receivers

    def drop(self, descriptor: int) -> None:
        """The server has cut a client off. It keeps its place in its room: what it misses is lost."""
        self.disconnected += 1
        self.epoll.unregister(descriptor)

    def hang_up(self) -> None:
        """Close all connections."""
        self.epoll.close()
        self.epoll = select.epoll()
        for client in self.sockets.values():
            client.close()
        self.sockets.clear()
        self.members.clear()
        self.seats = ()
        self.disconnected = 0

    def join(self, order: Join) -> Joined:
        """Fill the seats. Raises LoadTestFailed when the time is up."""
        return _Arrival(self, order).run()

    def admit(self, newcomer: Newcomer) -> None:
        """A client has joined; its descriptor is registered for reading already."""
        descriptor = newcomer.socket.fileno()
        self.sockets[descriptor] = newcomer.socket
        self.members.setdefault(newcomer.room, []).append(descriptor)


class _Arrival:
    """Clients on their way in, so many at once."""

    def __init__(self, crowd: Crowd, order: Join) -> None:
        self._crowd = crowd
        self._order = order
        self._queue = deque(seat.room for seat in order.seats for _ in range(seat.members))
        self._under_way: dict[int, Newcomer] = {}
        self._outcome = Joined()
        self._last_join = time.monotonic()
        self._failures_then = 0
        """How many attempts had failed when the last client joined."""
        crowd.seats += order.seats

    def run(self) -> Joined:
        began, cpu = time.monotonic(), time.process_time()
        while self._queue or self._under_way:
            self._connect()
            for descriptor, _ in self._crowd.epoll.poll(RETRY_PAUSE, self._order.at_once):
                self._advance(descriptor)
            self._crowd.board.note(Tally.JOINED, self._crowd.process, self._outcome.clients)
            self._give_up_in_time(began)
        self._outcome.seconds = time.monotonic() - began
        self._outcome.cpu = time.process_time() - cpu
        return self._outcome

    def _connect(self) -> None:
        crowd = self._crowd
        while self._queue and len(self._under_way) < self._order.at_once:
            room = self._queue.popleft()
            try:
                newcomer = Newcomer(crowd.address, next(crowd.sources), room, crowd.dialect)
            except TurnedAway as why:
                self._turned_away(room, why)
                return
            self._under_way[newcomer.socket.fileno()] = newcomer
            crowd.epoll.register(newcomer.socket, select.EPOLLIN)

    def _advance(self, descriptor: int) -> None:
        newcomer = self._under_way.get(descriptor)
        if newcomer is None:
            self._hear_from_member(descriptor)
            return
        try:
            joined = newcomer.advance()
        except TurnedAway as why:
            del self._under_way[descriptor]
            newcomer.socket.close()
            self._turned_away(newcomer.room, why)
            return
        if joined:
            del self._under_way[descriptor]
            self._outcome.latency.record(time.monotonic_ns() - newcomer.began)
            self._outcome.clients += 1
            self._last_join, self._failures_then = time.monotonic(), self._outcome.failures
            self._crowd.admit(newcomer)

    def _hear_from_member(self, descriptor: int) -> None:
        """Nobody has sent anything into the rooms yet, so with most servers it is the end of a connection."""
        data = b""
        with contextlib.suppress(OSError):
            data = self._crowd.sockets[descriptor].recv(4096)
        if data and self._crowd.dialect.unasked:
            return
        if data:
            raise LoadTestFailed(f"a client that had only joined was sent {data!r}")
        self._crowd.drop(descriptor)

    def _turned_away(self, room: int, why: TurnedAway) -> None:
        self._queue.append(room)
        self._outcome.failures += 1
        self._outcome.reason = str(why)
        time.sleep(0 if self._under_way else RETRY_PAUSE)

    def _give_up_in_time(self, began: float) -> None:
        now = time.monotonic()
        stuck = now > self._last_join + STANDSTILL and self._outcome.failures > self._failures_then
        if stuck or now > began + self._order.limit:
            raise LoadTestFailed(self._too_late(now - began))

    def _too_late(self, seconds: float) -> str:
        clients, failures = self._outcome.clients, self._outcome.failures
        left = len(self._queue) + len(self._under_way)
        why = f"; {failures} attempts failed, the last because {self._outcome.reason}" if failures else ""
        return f"after {seconds:.0f} s {clients} clients had joined and {left} had not{why}"
