"""The bus between simulated processes: in order within a connection, late, and with the holes that libzmq leaves."""

from collections import deque
from collections.abc import Callable, Iterator

from roost.shared.shard_map import Slot
from tests.simulation.clock import Clock, Process


class Lane:
    """One direction of a connection."""

    def __init__(self, clock: Clock, receiver: Callable[[], Process | None], receive: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._receiver = receiver
        self._receive = receive
        self.parcels: deque[bytes] = deque()
        self._due = 0.0
        self._held_until = 0.0

    def send(self, parcel: bytes) -> None:
        self._due = max(self._due, self._clock.now + self._clock.delay())
        self.parcels.append(parcel)
        self._clock.after(self._due - self._clock.now, self._arrive)

    def retry(self) -> None:
        """The receiver has bound its socket: what waited for that is on its way again."""
        for _ in self.parcels:
            self._clock.after(self._clock.delay(), self._arrive)

    def cut(self, late: float = 0.0) -> None:
        """The connection breaks: a random prefix of what is under way still arrives, late perhaps."""
        for _ in range(self._clock.random.randint(0, len(self.parcels))):
            self.parcels.pop()
        self._held_until = self._clock.now + late

    def hole(self) -> bool:
        """Any run out of the middle vanishes, and nobody is told."""
        if not self.parcels:
            return False
        first = self._clock.random.randrange(len(self.parcels))
        last = self._clock.random.randint(first, len(self.parcels) - 1)
        kept = [parcel for at, parcel in enumerate(self.parcels) if not first <= at <= last]
        self.parcels = deque(kept)
        return True

    def _arrive(self) -> None:
        if self._clock.now < self._held_until:
            self._clock.after(self._held_until - self._clock.now, self._arrive)
        elif receiver := self._receiver():
            receiver.do(self._deliver)

    def _deliver(self) -> None:
        if self.parcels:
            self._receive(self.parcels.popleft())


class Connection:
    """One session of a worker with one incarnation of a slot."""

    def __init__(self, worker: int, slot: Slot, incarnation: int, session: int) -> None:
        self.worker = worker
        self.slot = slot
        self.incarnation = incarnation
        self.session = session
        self.open = True
        self.up: Lane
        self.down: Lane

    def close(self, late: float) -> None:
        """The worker drops its socket, with what it holds; some of what was written may still arrive."""
        self.open = False
        self.up.cut(late)
        self.down.cut(late)


class Network:
    """All connections that something may still come from."""

    def __init__(self) -> None:
        self._connections: dict[tuple[Slot, int, int, int], Connection] = {}

    def add(self, connection: Connection) -> None:
        key = (connection.slot, connection.incarnation, connection.worker, connection.session)
        self._connections[key] = connection

    def route(self, slot: Slot, incarnation: int, worker: int, session: int) -> Connection | None:
        """Where a ROUTER finds a session; None is its "no route", which means nothing."""
        connection = self._connections.get((slot, incarnation, worker, session))
        return connection if connection is not None and connection.open else None

    def of_shard(self, slot: Slot, incarnation: int) -> Iterator[Connection]:
        return (one for one in self._connections.values() if (one.slot, one.incarnation) == (slot, incarnation))

    def of_worker(self, worker: int) -> Iterator[Connection]:
        return (one for one in self._connections.values() if one.worker == worker)

    def open_connections(self) -> list[Connection]:
        return [one for one in self._connections.values() if one.open]
