"""One server with a crowd before it: what a scenario does, step by step."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tests.load.board import Board, Tally
from tests.load.display import Display
from tests.load.fleet import TICK, Fleet
from tests.load.merge import merged
from tests.load.orders import Drive, Driven, HangUp, Held, Hold, Join, Joined, Order, Prepare, Seat, Visit, Visited
from tests.load.plan import Crowding, Visits, Work
from tests.load.seating import processes_for, seats
from tests.load.server import Server
from tests.load.usage import Meter, Usage, memory

JOIN_LIMIT: Final = 60.0
"""Seconds for joining, and more by the number of clients."""
SLOWEST_JOINS: Final = 200
"""Joins a second below which joining is given up."""
GRACE: Final = 40.0
"""Seconds beyond its own time after which a phase is given up."""
LEAD: Final = 0.1
"""Seconds between an order to drive and its start, the same in all processes."""
SETTLE: Final = 1.0
"""Seconds between joining and looking at the memory."""
MEMORY_PERIOD: Final = 0.25
"""Seconds between two looks at the memory, at first."""
MOST_POINTS: Final = 400
"""Looks that are kept; beyond, every second one is forgotten and looks become rarer."""


class MemoryPoint(NamedTuple):
    """The memory of the processes that hold clients."""

    at: float
    clients: int
    size: int


class Bench:
    """Generator processes in front of a server that runs."""

    def __init__(self, server: Server, crowding: Crowding, display: Display, visitor_processes: int = 0) -> None:
        self.server = server
        self.crowding = crowding
        self.memory_points: list[MemoryPoint] = []
        self._memory_period = MEMORY_PERIOD
        self._began = time.monotonic()
        self._display = display
        processes = crowding.processes or processes_for(crowding.clients)
        self._seats = seats(crowding.rooms, crowding.members, processes)
        self._visitor_processes = visitor_processes
        self._processes = server.processes()
        self._base = memory(self._processes)
        self._board = Board(crowding.rooms, processes + visitor_processes)
        self._fleet = Fleet(
            server.address, server.dialect, crowding.clients, processes + visitor_processes, self._board
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._fleet.__exit__(kind, error, trace)

    # Coming and going

    def join(self) -> tuple[Joined, Usage]:
        """Seat all clients."""
        clients = self.crowding.clients
        limit = JOIN_LIMIT + clients / SLOWEST_JOINS
        at_once = max(1, self.crowding.at_once // len(self._seats))
        meter = Meter(self._processes)
        meter.read()
        began = time.monotonic()

        def note() -> tuple[float, str]:
            joined = sum(self._board.noted(Tally.JOINED))
            self._note_memory(joined)
            return joined, f"{joined:,} clients, {joined / max(time.monotonic() - began, TICK):,.0f} joins/s"

        parts = self._carry_out(
            [Join(seated, at_once, limit) for seated in self._seats], "joining", clients, limit, note
        )
        meter.read()
        joined: Joined = merged(parts)
        self._note_memory(joined.clients, now=True)
        return joined, meter.usage([part.cpu for part in parts], joined.seconds)

    def drain(self) -> None:
        """The server sends all clients away; when this returns, they may come again."""
        self.server.drain()
        self._processes = self.server.processes()
        self._carry_out([HangUp() for _ in self._seats], "hanging up", 1, GRACE, lambda: (0, ""))

    def memory_a_client(self) -> dict[str, float]:
        """Bytes for each client beyond what the processes had before clients came, by kind."""
        time.sleep(SETTLE)
        now = memory(self._processes)
        return {kind: (size - self._base.get(kind, 0)) / self.crowding.clients for kind, size in now.items()}

    # Work

    def _prepare(self, work: Work, *, watched: bool) -> None:
        """Send a first message into each room."""
        self._board.clear_rooms()
        order = Prepare(work.event, work.payload_bytes, watched)
        self._carry_out([order for _ in self._seats], "first messages", 1, GRACE, lambda: (0, ""))

    def drive(self, work: Work, visits: Visits | None = None) -> tuple[Driven, Visited | None, Usage]:
        """Drive the rooms, with visitors coming and going if there are any."""
        self._prepare(work, watched=visits is not None)
        start = time.monotonic() + LEAD
        begin, end = start + work.warmup, start + work.warmup + work.seconds
        meter = Meter(self._processes, begin, end)
        before = 0, start

        def note() -> tuple[float, str]:
            nonlocal before
            meter.tick(soon=TICK)
            self._note_memory(self.crowding.clients)
            delivered, now = sum(self._board.noted(Tally.DELIVERED)), time.monotonic()
            rate = (delivered - before[0]) / max(now - before[1], TICK)
            before = delivered, now
            return now - start, f"{rate:,.0f} deliveries/s"

        orders: list[Order] = [self._drive(work, seated, int(start * 1e9)) for seated in self._seats]
        if visits:
            orders += [self._visit(visits, work, int(begin * 1e9))] * self._visitor_processes
        seconds = work.warmup + work.seconds
        parts = self._carry_out(orders, work.title, seconds, seconds + GRACE, note)
        driven: Driven = merged(parts[: len(self._seats)])
        visited: Visited | None = merged(parts[len(self._seats) :]) if visits else None
        return driven, visited, meter.usage([part.cpu for part in parts], driven.seconds)

    def hold(self, seconds: float, period: float) -> tuple[Held, Usage]:
        """Let all clients be idle."""
        meter = Meter(self._processes)
        meter.read()
        began = time.monotonic()

        def note() -> tuple[float, str]:
            return time.monotonic() - began, f"{sum(self._board.noted(Tally.ANSWERED)):,} heartbeats answered"

        orders = [Hold(seconds, period) for _ in self._seats]
        parts = self._carry_out(orders, "holding", seconds, seconds + GRACE, note)
        meter.read()
        held: Held = merged(parts)
        return held, meter.usage([part.cpu for part in parts], held.seconds)

    def _drive(self, work: Work, seated: tuple[Seat, ...], start: int) -> Drive:
        share = sum(seat.home for seat in seated) / self.crowding.rooms
        return Drive(start, work.warmup, work.seconds, work.window, work.rate * share, work.day, work.slices)

    def _visit(self, visits: Visits, work: Work, start: int) -> Visit:
        visitors = visits.visitors // self._visitor_processes
        rooms, day = self.crowding.rooms, work.day
        return Visit(start, work.seconds, visitors, rooms, visits.stay, visits.reconnect, day, visits.presence)

    # Waiting

    def _carry_out(
        self, orders: Sequence[Order], title: str, total: float, limit: float, note: Callable[[], tuple[float, str]]
    ) -> list[Any]:
        """One order for each process, in turn; those without one rest."""
        with self._display.phase(f"{self.server.name}: {title}", total) as show:
            return self._fleet.carry_out(orders, limit, lambda: show(*note()))

    def _note_memory(self, clients: int, *, now: bool = False) -> None:
        """Look at the memory, but not too often."""
        at = time.monotonic() - self._began
        if now or not self.memory_points or at >= self.memory_points[-1].at + self._memory_period:
            self.memory_points.append(MemoryPoint(at, clients, sum(memory(self._processes).values())))
            if len(self.memory_points) == MOST_POINTS:
                self.memory_points = self.memory_points[::2]
                self._memory_period *= 2
