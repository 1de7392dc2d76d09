"""The shell of a simulated shard process: around the real `Shard`, with every step of its start torn apart."""

from typing import TYPE_CHECKING, Final

from roost.broker.shard import Shard
from roost.shared.bus import decode_shard_parcel
from roost.shared.shard_map import Slot
from tests.simulation.clock import Process
from tests.simulation.network import Connection
from tests.simulation.promises import Broken

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

BURIAL_PERIOD: Final = 0.2


class SimShard(Process):
    """One incarnation of one slot."""

    def __init__(self, cluster: "Cluster", slot: Slot, incarnation: int) -> None:
        super().__init__(cluster.clock, f"shard {slot} incarnation {incarnation}")
        self.cluster = cluster
        self.slot = slot
        self.incarnation = incarnation
        self.core: Shard | None = None
        self._awake = False
        self._deadline: float | None = None
        self.clock.note(f"{self.name} is started")
        self.later(self.clock.delay(0.1), self.start)

    # The start: S1

    def start(self) -> None:
        """The lock first, then the map, then who lives."""
        self.lock()
        self.later(self.clock.delay(0.02), self.check_map)

    def lock(self) -> None:
        self.locked = True

    def check_map(self) -> None:
        if self.named():
            self.later(self.clock.delay(0.02), self.begin)
        else:
            self.clock.meet("orphan ends", self.name)
            self.die()

    def named(self) -> bool:
        return self.cluster.map.incarnation(self.slot) == self.incarnation

    def begin(self) -> None:
        awaited = self.live_workers()
        self.core = Shard(awaited, self.cluster.worker_lives, deliver_window=self.cluster.deliver_window)
        self.clock.meet("shard begins", f"{self.name} awaits {sorted(awaited)}")
        for connection in self.cluster.network.of_shard(self.slot, self.incarnation):
            connection.up.retry()
        self.later(self.clock.delay(BURIAL_PERIOD), self._bury)

    def live_workers(self) -> set[int]:
        return self.cluster.live_workers()

    # Running

    def receive(self, connection: Connection, data: bytes) -> None:
        assert self.core is not None
        parcel = decode_shard_parcel(data)
        self.cluster.count_at_shard(self.core, connection.worker, parcel)
        known = connection.worker in self.core._peers
        self.core.receive(connection.worker, parcel)
        if not known and connection.worker in self.core._peers and not self.cluster.worker_lives(connection.worker):
            raise Broken(f"S2: {self.name} takes up worker {connection.worker}, which is dead")
        self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self.later(self.clock.delay(0.0005), self._turn)

    def _turn(self) -> None:
        assert self.core is not None
        self._awake = False
        for outgoing in self.core.turn(self.clock.now):
            connection = self.cluster.network.route(self.slot, self.incarnation, outgoing.worker, outgoing.session)
            if connection is not None:
                connection.down.send(outgoing.parcel)
        deadline = self.core.deadline()
        if deadline is not None and self._deadline is None:
            self._deadline = deadline
            self.later(max(0.0, deadline - self.clock.now), self._due)
        self.cluster.judge_shard(self)

    def _due(self) -> None:
        self._deadline = None
        self._turn()

    def _bury(self) -> None:
        assert self.core is not None
        self.core.bury_the_dead()
        self.later(self.clock.delay(BURIAL_PERIOD), self._bury)
        self._wake()

    # Dying

    def die(self) -> None:
        super().die()
        for connection in self.cluster.network.of_shard(self.slot, self.incarnation):
            connection.up.parcels.clear()
            connection.down.cut()
