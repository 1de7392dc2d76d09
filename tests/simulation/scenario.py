"""What happens in one seed: clients, faults and changes of shards at random, then calm, rest, and a last word."""

from collections import Counter
from typing import Final

from roost.broker.pool import Phase, phase
from roost.shared.bus import Form, Lane
from tests.simulation.client import INTERCEPTED, Channel
from tests.simulation.clock import Clock
from tests.simulation.cluster import Cluster
from tests.simulation.rest import come_to_rest
from tests.simulation.worker import SimWorker

SECONDS: Final = 6.0
"""Simulated time in which things happen."""
PACE: Final = 0.03
"""Seconds between two things that happen, about."""
MESSAGE: Final = 40
"""Bytes that a message takes in a worker's log, about."""
FRAMES: Final = 80
"""Bytes that an entry takes in a shard's outbox, about."""
MAX_WORKERS: Final = 5
LANES: Final = [Lane.V2, Lane.V2, Lane.V1, Lane.LETTER]


class Failed(AssertionError):
    """A seed failed; the text says which and how to see it again."""


class Scenario:
    """One run; of a node with a bridge to others, if the seed is negative."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        self.clock = Clock(seed, trace=trace)
        random = self.clock.random
        self.topics = [f"t{number}" for number in range(random.randint(1, 3))]
        self.cluster = Cluster(
            self.clock,
            shards=random.randint(1, 4),
            publish_window=random.randint(1, 5) * MESSAGE,
            deliver_window=random.randint(1, 5) * FRAMES,
            orphan_life=random.choice([0.1, 0.5, 3.0, None, None]),
            bridged=seed < 0,
        )
        for _ in range(random.randint(1, MAX_WORKERS)):
            self.cluster.start_worker()
        self._happenings = [
            (self.join, 20),
            (self.publish, 40),
            (self.reply, 14),
            (self.leave, 10),
            (self.rejoin, 6),
            (self.withdraw, 2),
            (self.break_connection, 7),
            (self.silent_hole, 7),
            (self.pause, 3),
            (self.kill_shard, 3),
            (self.kill_all_shards, 0.3),
            (self.kill_worker, 0.8),
            (self.drain_worker, 0.8),
            (self.start_worker, 3),
            (self.scale, 4),
            (self.abort, 0.7),
            (self.kill_supervisor, 1.5),
            (self.start_supervisor, 3),
        ]
        if seed < 0:
            self._happenings += [(self.cluster.kill_bridge, 1), (self.pause_bridge, 1)]
        self._weights = [weight for _, weight in self._happenings]

    def run(self) -> Counter[str]:
        """Play it; answers how often each kind of event was met. Raises Broken."""
        clock = self.clock
        while clock.now < SECONDS:
            ((happen, _),) = clock.random.choices(self._happenings, self._weights)
            happen()
            clock.run(clock.random.expovariate(1 / PACE))
            self.cluster.report()
        self.come_to_rest()
        for worker in self.cluster.workers.values():
            for topic in self.topics:
                worker.publish(topic, Form.JSON, "last", 0, None)
        come_to_rest(self.cluster)
        return clock.met

    def come_to_rest(self) -> None:
        """Calm: no more faults, short delays, a supervisor."""
        self.clock.calm = True
        if not self.cluster.supervisor.running:
            self.clock.meet("calm without a supervisor")
            self.clock.run(5.0)
            self.cluster.start_supervisor()
        come_to_rest(self.cluster)
        self.clock.note("at rest")

    # Who

    def some_worker(self) -> SimWorker | None:
        workers = [worker for worker in self.cluster.workers.values() if worker.ready and not worker.draining]
        return self.clock.random.choice(workers) if workers else None

    def some_channel(self) -> Channel | None:
        worker = self.some_worker()
        channels = [
            channel
            for client in (worker.clients if worker else ())
            for channel in client.channels.values()
            if channel.listener.joined
        ]
        return self.clock.random.choice(channels) if channels else None

    # What clients and code do

    def join(self) -> None:
        worker = self.some_worker()
        if worker is None:
            return
        random = self.clock.random
        client = random.choice(worker.clients) if worker.clients and self.clock.chance(0.6) else worker.connect()
        topic = random.choice(self.topics)
        if topic not in client.channels:
            lane = random.choice(LANES)
            worker.join(client, topic, lane, intercepts=lane is not Lane.LETTER and self.clock.chance(0.2))

    def publish(self) -> None:
        """A burst, of a channel or of other code; a reply follows often."""
        channel = self.some_channel() if self.clock.chance(0.7) else None
        worker = channel.client.worker if channel else self.some_worker()
        if worker is None:
            return
        for _ in range(self.clock.random.choice([1, 1, 1, 2, 5])):
            topic = self.clock.random.choice(self.topics)
            event = INTERCEPTED if self.clock.chance(0.2) else "e"
            form = Form.PLAIN if self.clock.chance(0.1) else Form.JSON
            if channel is None:
                worker.publish(topic, form, event, 0, None)
            else:
                own = channel.listener.topic if self.clock.chance(0.7) else topic
                channel.broadcast(own, form, event, to_self=self.clock.chance(0.8))
                if self.clock.chance(0.5):
                    self.clock.meet("reply after a broadcast")
                    channel.reply()

    def reply(self) -> None:
        if channel := self.some_channel():
            channel.reply()

    def leave(self) -> None:
        if channel := self.some_channel():
            self.clock.meet("leave", channel.listener)
            channel.leave()

    def rejoin(self) -> None:
        """Leave, and join again before any answer."""
        worker = self.some_worker()
        channels = [channel for client in (worker.clients if worker else ()) for channel in client.channels.values()]
        if worker and channels:
            channel = self.clock.random.choice(channels)
            self.clock.meet("rejoin", channel.listener)
            channel.leave()
            listener = channel.listener
            worker.join(channel.client, listener.topic, listener.lane, intercepts=listener.intercepts)

    def withdraw(self) -> None:
        worker = self.some_worker()
        waiting = [
            one for client in (worker.clients if worker else ()) for one in client.channels.values() if one.waiting
        ]
        if waiting:
            self.clock.random.choice(waiting).withdraw()

    # Faults

    def break_connection(self) -> None:
        """libzmq connects again by itself: what was written is lost but for a prefix, each way."""
        connections = self.cluster.network.open_connections()
        busy = [one for one in connections if one.up.parcels or one.down.parcels]
        if busy:
            connection = self.clock.random.choice(busy)
            self.clock.meet("break", f"between worker {connection.worker} and {connection.slot}")
            connection.up.cut()
            connection.down.cut()

    def silent_hole(self) -> None:
        lanes = [lane for one in self.cluster.network.open_connections() for lane in (one.up, one.down) if lane.parcels]
        if lanes and self.clock.random.choice(lanes).hole():
            self.clock.meet("silent hole")

    def pause(self) -> None:
        processes = [*self.cluster.workers.values(), *self.cluster.living_shards(), self.cluster.supervisor]
        self.clock.random.choice(processes).pause(self.clock.delay(0.3))

    def pause_bridge(self) -> None:
        if self.cluster.bridge is not None:
            self.cluster.bridge.pause(self.clock.delay(0.5))

    def kill_shard(self) -> None:
        """Mostly new ones while there is a change."""
        shards = self.cluster.living_shards()
        newest = [shard for shard in shards if shard.slot.epoch == max(self.cluster.map.epochs)]
        if newest and self.clock.chance(0.7):
            shards = newest
        if shards:
            shard = self.clock.random.choice(shards)
            self.clock.meet("shard killed", shard.name)
            if phase(self.cluster.map) is not Phase.SETTLED:
                self.clock.meet("shard killed in a change")
            shard.die()

    def kill_all_shards(self) -> None:
        self.clock.meet("all shards killed")
        for shard in self.cluster.living_shards():
            shard.die()

    def kill_worker(self) -> None:
        if self.cluster.workers:
            self.cluster.kill_worker(self.clock.random.choice(list(self.cluster.workers.values())))

    def drain_worker(self) -> None:
        if worker := self.some_worker():
            worker.drain()

    def start_worker(self) -> None:
        if len(self.cluster.workers) < MAX_WORKERS:
            self.clock.meet("worker started")
            self.cluster.start_worker()

    def scale(self) -> None:
        if self.cluster.supervisor.running:
            self.cluster.supervisor.scale(self.clock.random.randint(1, 4))

    def abort(self) -> None:
        if self.cluster.supervisor.running:
            self.cluster.supervisor.abort()

    def kill_supervisor(self) -> None:
        if self.cluster.supervisor.running:
            self.cluster.kill_supervisor()
            if self.clock.chance(0.4):
                self.start_supervisor()

    def start_supervisor(self) -> None:
        if not self.cluster.supervisor.running:
            self.clock.meet("supervisor started")
            self.cluster.start_supervisor()


def play(seed: int) -> Counter[str]:
    """One seed; answers how often each kind of event was met. Raises Failed, which says how to see it again."""
    scenario = Scenario(seed)
    try:
        return scenario.run()
    except Exception as error:
        raise Failed(
            f"seed {seed} at {scenario.clock.now:.3f} s: {type(error).__name__}: {error}\n"
            f"see it again: python -m tests.simulation {seed}"
        ) from error
