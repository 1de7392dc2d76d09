"""A simulated node: its map file, its locks, its processes, its network, and what is checked at every step."""

from collections.abc import Iterator
from functools import partial
from itertools import count

from roost.broker.pool import Phase, fresh, phase
from roost.broker.shard import Shard
from roost.shared.bus import Batch, Publish, ShardParcel, WorkerParcel
from roost.shared.cluster import Interest, Listening
from roost.shared.peer.delivery import Open
from roost.shared.shard_map import EMPTY, ShardMap, Slot
from tests.simulation.bridge import RESTART, SimBridge
from tests.simulation.clock import Clock
from tests.simulation.network import Connection, Lane, Network
from tests.simulation.promises import Broken, Listener, Publication, Publisher
from tests.simulation.shard import SimShard
from tests.simulation.supervisor import SimSupervisor
from tests.simulation.worker import SimWorker, require


class Cluster:
    """Everything that one seed simulates."""

    def __init__(
        self,
        clock: Clock,
        shards: int,
        publish_window: int,
        deliver_window: int,
        orphan_life: float | None,
        *,
        bridged: bool = False,
    ) -> None:
        self.clock = clock
        self.publish_window = publish_window
        self.deliver_window = deliver_window
        self.orphan_life = orphan_life
        """Seconds, about, that a shard outlives its supervisor; None: as long as nobody kills it."""
        self.map: ShardMap = fresh(EMPTY, shards)
        self.network = Network()
        self.workers: dict[int, SimWorker] = {}
        """Those that run."""
        self.shards: dict[tuple[Slot, int], SimShard] = {}
        """All that were ever started."""
        self.publishers: dict[int, Publisher] = {}
        """Of all workers that ever were."""
        self.listeners: list[Listener] = []
        self.publications: dict[int, Publication] = {}
        self._serials = count(1)
        self._worker_numbers = count(1)
        self._supervisor_numbers = count(1)
        self.supervisor = SimSupervisor(self, next(self._supervisor_numbers))
        self.bridged = bridged
        self.interests: dict[int, Interest] = {}
        """Of the workers that live, as the supervisors remember them."""
        self.bridge = SimBridge(self) if bridged else None

    def next_serial(self) -> int:
        return next(self._serials)

    # The map and the locks

    def write_map(self, shard_map: ShardMap) -> None:
        require(shard_map.version == self.map.version + 1, "the map's version")
        self.map = shard_map
        self.clock.note(f"map {shard_map.version}: publish {shard_map.publish}, {shard_map.epochs}")
        for worker in list(self.workers.values()):
            if self.clock.chance(0.8):
                worker.later(self.clock.delay(0.03), partial(worker.adopt, shard_map))

    def worker_lives(self, number: int) -> bool:
        """The oracle."""
        worker = self.workers.get(number)
        return worker is not None and worker.locked

    def live_workers(self) -> set[int]:
        return {number for number, worker in self.workers.items() if worker.locked}

    def living_shards(self) -> list[SimShard]:
        """Those that hold their lock."""
        return [shard for shard in self.shards.values() if shard.locked]

    # Processes

    def start_worker(self) -> SimWorker:
        number = next(self._worker_numbers)
        self.publishers[number] = Publisher(number)
        worker = self.workers[number] = SimWorker(self, number)
        return worker

    def kill_worker(self, worker: SimWorker) -> None:
        self.clock.meet("worker killed", worker.name)
        publisher = self.publishers[worker.number]
        publisher.finished = False
        worker.die()
        self._forget(worker)

    def worker_ends(self, worker: SimWorker) -> None:
        """Drained: all that it published must still arrive."""
        self.clock.meet("worker drained", worker.name)
        worker.die()
        self._forget(worker)

    def interest_told(self, interest: Interest) -> None:
        """A worker's interest has come to the supervisors, who pass it on."""
        if interest.worker in self.workers:
            self.interests[interest.worker] = interest
            if self.bridge is not None:
                self.bridge.later(0.0, partial(self.bridge.hear, interest))

    def kill_bridge(self) -> None:
        if self.bridge is not None and self.bridge.running:
            self.clock.meet("bridge killed")
            self.bridge.die()
            nothing = Listening({}, self.bridge.last_told, 1000, ())
            for worker in self.workers.values():
                worker.bridge_says(self.bridge, nothing)
            self.clock.after(RESTART if self.clock.chance(0.7) else 10 * RESTART, self._start_bridge)

    def _start_bridge(self) -> None:
        self.bridge = SimBridge(self)

    def _forget(self, worker: SimWorker) -> None:
        del self.workers[worker.number]
        self.interests.pop(worker.number, None)
        for listener in self.listeners:
            if listener.worker == worker.number:
                listener.left = True

    def start_shard(self, slot: Slot, incarnation: int) -> SimShard:
        shard = self.shards[slot, incarnation] = SimShard(self, slot, incarnation)
        return shard

    def kill_supervisor(self) -> None:
        self.clock.meet("supervisor killed", self.supervisor.name)
        if phase(self.map) is not Phase.SETTLED:
            self.clock.meet("supervisor killed in a change")
        self.supervisor.die()

    def start_supervisor(self) -> None:
        self.supervisor = SimSupervisor(self, next(self._supervisor_numbers))

    def report(self) -> None:
        """Workers and shards tell the supervisor where they are; it may hear it late."""
        supervisor = self.supervisor
        for worker in self.workers.values():
            if worker.ready:
                epoch = worker.delivery.epoch
                supervisor.later(
                    self.clock.delay(0.02),
                    partial(supervisor.publishing.update, {worker.number: epoch}),
                )
        for shard in self.living_shards():
            if shard.core is not None and shard.core.open:
                key = (shard.slot, shard.incarnation)
                supervisor.later(self.clock.delay(0.02), partial(supervisor.opened.add, key))

    # The network

    def connect(self, worker: SimWorker, change: Open) -> Connection:
        connection = Connection(worker.number, change.slot, change.incarnation, change.session)
        key = (change.slot, change.incarnation)

        def bound() -> SimShard | None:
            shard = self.shards.get(key)
            return shard if shard is not None and shard.core is not None else None

        def to_shard(data: bytes) -> None:
            self.shards[key].receive(connection, data)

        connection.up = Lane(self.clock, bound, to_shard)
        connection.down = Lane(self.clock, lambda: worker, lambda data: worker.receive(connection, data))
        self.network.add(connection)
        return connection

    # Promises

    def publication(self, payload: bytes) -> Publication:
        return self.publications[int(payload)]

    def hear(self, listener: Listener, payload: bytes) -> None:
        publication = self.publication(payload)
        listener.hear(publication, self.publishers[publication.publisher])
        self.workers[listener.worker].heard += 1
        self.clock.met["delivery"] += 1
        self.clock.note(f"{listener} gets {publication.number} of worker {publication.publisher}")

    def known_through(self) -> dict[int, int]:
        """For each publisher what it knows, or knew when it died, to be through."""
        for worker in self.workers.values():
            self.note_through(worker)
        return {number: publisher.through for number, publisher in self.publishers.items()}

    def note_through(self, worker: SimWorker) -> None:
        if worker._delivery is not None:
            logged = worker.delivery._log._logged
            self.publishers[worker.number].through = logged[0].number - 1 if logged else worker.delivery.published

    # What is checked at every step

    def judge_worker(self, worker: SimWorker) -> None:
        delivery = worker.delivery
        log = delivery._log
        require(not log or log.size - log._logged[-1].size < self.publish_window, f"{worker.name}: the publish window")
        books = delivery.books
        require(worker.heard == books.handed, f"{worker.name} heard {worker.heard}, its books say {books.handed}")
        require(
            books.offered == books.handed + books.duplicate + books.gone + books.early,
            f"{worker.name}: the books do not balance",
        )

    def judge_shard(self, shard: SimShard) -> None:
        core = shard.core
        assert core is not None
        books = core.books()
        require(books.fanout == books.acknowledged + books.outbox + books.to_dead, f"{shard.name}: the books")
        for number, peer in core._peers.items():
            if peer.outbox:
                require(
                    peer.outbox_bytes - peer.outbox[-1].size < self.deliver_window,
                    f"{shard.name}: the deliver window of worker {number}",
                )
        queued: dict[int, list[int]] = {}
        for publisher, publish in core._queue:
            queued.setdefault(publisher, []).append(len(publish.payload) + len(publish.topic))
        for publisher, sizes in queued.items():
            require(sum(sizes[:-1]) < self.publish_window, f"{shard.name}: the queue of worker {publisher}")

    def judge_parcel(self, worker: SimWorker, connection: Connection, parcel: WorkerParcel) -> None:
        """What a worker acknowledged is not sent to it again; old sessions and holes are counted."""
        link = worker.delivery._links.get(connection.slot)
        if link is None or parcel.session != link.session:
            self.clock.meet("old session at a worker")
        elif parcel.counter != link._received:
            self.clock.meet("broken counter at a worker")
        else:
            for item in parcel.items:
                if isinstance(item, Batch) and item.turn <= link._got:
                    raise Broken(
                        f"turn {item.turn} of {connection.slot} comes to {worker.name} after its HELLO said it"
                    )

    def count_at_shard(self, core: Shard, worker: int, parcel: ShardParcel) -> None:
        peer = core._peers.get(worker)
        if peer is None:
            if not self.worker_lives(worker):
                self.clock.meet("word of a dead worker")
            return
        if parcel.session < peer.session:
            self.clock.meet("old session at a shard")
        elif parcel.session == peer.session and parcel.counter != peer.received:
            self.clock.meet("broken counter at a shard")
        elif any(isinstance(item, Publish) and item.number <= peer.accepted for item in parcel.items):
            self.clock.meet("duplicate at a shard")
        if not core.open and any(isinstance(item, Publish) for item in parcel.items):
            self.clock.meet("publish waits for a barrier")

    def pairs(self) -> Iterator[tuple[SimWorker, SimShard]]:
        """Every live worker with every shard that the map names; not before all of these run."""
        for slot, incarnation in self.map.slots().items():
            for worker in self.workers.values():
                yield worker, self.shards[slot, incarnation]
