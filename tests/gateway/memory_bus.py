"""Workers and shards wired together in memory: the real rules, the real bytes, no sockets, and time of its own.

Nothing moves by itself: a test lets a worker or a shard take a turn, carries what is under way, or lets all settle.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from roost.broker.shard import THROUGH_DELAY, Shard
from roost.shared.bus import Form, Lane, decode_shard_parcel, decode_worker_parcel
from roost.shared.peer.audience import Subscription
from roost.shared.peer.delivery import Arrival, Delivery, Open
from roost.shared.peer.shard_link import ACK_DELAY, Echo, Frames, Letters
from roost.shared.phash2 import hash32
from roost.shared.shard_map import ShardMap, Slot

LONGEST_DELAY = 2 * max(ACK_DELAY, THROUGH_DELAY)
"""Seconds; more than acknowledgements and THROUGH wait for something to travel with."""


class Subscriber:
    """A client's channel: it notes what it is handed, and holds the bus to its promises while that happens."""

    def __init__(self) -> None:
        self.subscription: Subscription
        self.frames: list[bytes] = []
        self.letters: list[tuple[str, bytes]] = []
        self.confirmations: list[int] = []
        self.left = False

    @property
    def joined(self) -> bool:
        return bool(self.confirmations)

    def write(self, frame: bytes) -> None:
        self._serve()
        self.frames.append(frame)

    def letter(self, topic: str, letter: bytes) -> None:
        self._serve()
        self.letters.append((topic, letter))

    def confirmed(self, subscription: Subscription) -> None:
        assert subscription is self.subscription
        assert not self.left
        self.confirmations.append(subscription.number)

    def _serve(self) -> None:
        assert self.joined, "served before it was told that it had joined"
        assert not self.left, "served after it had left"


class Worker:
    """One worker's rules and its subscribers."""

    def __init__(
        self, number: int, shard_map: ShardMap, now: float, alive: Callable[[int], bool], publish_window: int
    ) -> None:
        self.number = number
        self.delivery = Delivery(number, shard_map, now, alive, publish_window=publish_window)
        self.admitted: list[tuple[object, int]] = []
        """Tickets of publishes that waited for credit, with their numbers, in order."""
        self.sessions: dict[Slot, int] = {}

    def hash_of(self, client: int) -> int:
        """By which a client's shard is chosen."""
        return hash32(self.number << 32 | client)

    def subscribe(self, client: int, topic: str, lane: Lane = Lane.V2, intercepts: tuple[str, ...] = ()) -> Subscriber:
        """A client joins a topic."""
        subscriber = Subscriber()
        outlet = None if lane is Lane.LETTER else subscriber
        subscriber.subscription = self.delivery.subscribe(
            self.hash_of(client), topic, lane, intercepts, outlet, subscriber
        )
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """A client leaves."""
        self.delivery.unsubscribe(subscriber.subscription)
        subscriber.left = True

    def publish(self, topic: str, payload: bytes, event: str = "e", but: Subscriber | None = None) -> int:
        """Broadcast, or broadcast_from, with credit."""
        sender = but.subscription.number if but is not None else 0
        number = self.delivery.publish(topic, Form.JSON, event, payload, sender)
        assert number
        return number


class MemoryBus:
    """A node: its map, its shards, its workers, and what is under way between them."""

    def __init__(self, workers: int, shards: int, *, publish_window: int = 2**20, deliver_window: int = 2**22) -> None:
        self.now = 0.0
        self.map = ShardMap(version=1, next_epoch=1, publish=0, epochs={0: (1,) * shards})
        self.workers: dict[int, Worker] = {}
        self.shards: dict[Slot, Shard] = {}
        self._publish_window = publish_window
        self._deliver_window = deliver_window
        self._to_shard: dict[tuple[int, Slot], deque[bytes]] = {}
        self._to_worker: dict[tuple[int, Slot], deque[bytes]] = {}
        for slot in self.map.slots():
            self._start_shard(slot)
        for number in range(1, workers + 1):
            self.start_worker(number)

    # Who lives

    def alive(self, worker: int) -> bool:
        """The oracle."""
        return worker in self.workers

    def start_worker(self, number: int) -> Worker:
        """A worker joins the node."""
        worker = self.workers[number] = Worker(number, self.map, self.now, self.alive, self._publish_window)
        return worker

    def kill_worker(self, number: int) -> None:
        """A worker dies, and what it had not sent with it; the shards find out when they bury the dead."""
        del self.workers[number]
        for queues in (self._to_shard, self._to_worker):
            for key in [key for key in queues if key[0] == number]:
                del queues[key]

    def bury_the_dead(self) -> None:
        """Every shard asks the oracle."""
        for shard in self.shards.values():
            shard.bury_the_dead()

    def restart_shard(self, slot: Slot) -> None:
        """A shard dies with all that it held; the next incarnation starts, and the workers hear of it."""
        incarnations = list(self.map.epochs[slot.epoch])
        incarnations[slot.number] += 1
        self.change_map(self.map.epochs | {slot.epoch: tuple(incarnations)}, self.map.publish)

    def change_map(self, epochs: dict[int, tuple[int, ...]], publish: int) -> None:
        """Write a new map, start the shards that it names, tell the workers."""
        before = self.map.slots()
        self.map = ShardMap(self.map.version + 1, max(epochs) + 1, publish, epochs)
        for slot, incarnation in self.map.slots().items():
            if before.get(slot) != incarnation:
                self._start_shard(slot)
        for slot in before.keys() - self.map.slots().keys():
            del self.shards[slot]
            self._drop_queues(slot)
        for worker in self.workers.values():
            self._carry_out(worker, worker.delivery.adopt(self.map, self.now))

    def _start_shard(self, slot: Slot) -> None:
        self._drop_queues(slot)
        self.shards[slot] = Shard(self.workers.keys(), self.alive, deliver_window=self._deliver_window)

    def _drop_queues(self, slot: Slot) -> None:
        """The socket of a shard is gone, with what was under way to and from it."""
        for queues in (self._to_shard, self._to_worker):
            for key, queue in queues.items():
                if key[1] == slot:
                    queue.clear()

    # Turns

    def turn_worker(self, number: int) -> bool:
        """The end of a turn of a worker's loop; answers whether anything left."""
        worker = self.workers[number]
        changes, worker.delivery.sockets = worker.delivery.sockets, []
        for change in changes:
            # A new socket: what was under way on the old one is lost.
            self._to_shard[number, change.slot] = deque()
            self._to_worker[number, change.slot] = deque()
            worker.sessions.pop(change.slot, None)
            if isinstance(change, Open):
                worker.sessions[change.slot] = change.session
        outgoing = worker.delivery.flush(self.now)
        for slot, parcel in outgoing:
            self._to_shard[number, slot].append(parcel)
        return bool(outgoing)

    def turn_shard(self, slot: Slot) -> bool:
        """A turn of a shard's loop; answers whether anything left."""
        outgoing = self.shards[slot].turn(self.now)
        for number, session, parcel in outgoing:
            if number in self.workers and self.workers[number].sessions.get(slot) == session:
                self._to_worker[number, slot].append(parcel)
        return bool(outgoing)

    def carry_to_shard(self, number: int, slot: Slot, limit: int = 1000) -> bool:
        """A shard receives; answers whether there was anything."""
        parcels = list(_take(self._to_shard.get((number, slot)), limit))
        for parcel in parcels:
            self.shards[slot].receive(number, decode_shard_parcel(parcel))
        return bool(parcels)

    def carry_to_worker(self, number: int, slot: Slot, limit: int = 1000) -> bool:
        """A worker receives; answers whether there was anything."""
        parcels = list(_take(self._to_worker.get((number, slot)), limit))
        for parcel in parcels:
            worker = self.workers[number]
            self._carry_out(worker, worker.delivery.receive(slot, decode_worker_parcel(parcel), self.now))
        return bool(parcels)

    def exchange(self, slot: Slot, *, answer: bool = True) -> None:
        """Workers tell one shard what they have for it, it takes a turn, and they hear its answer, or not yet."""
        for number in self.workers:
            self.turn_worker(number)
            self.carry_to_shard(number, slot)
        self.turn_shard(slot)
        for number in self.workers if answer else ():
            self.carry_to_worker(number, slot)

    def lose_to_worker(self, number: int, slot: Slot) -> int:
        """What is under way to a worker gets lost, and nobody is told; answers how many parcels that were."""
        return len(list(_take(self._to_worker[number, slot], 1000)))

    def lose_to_shard(self, number: int, slot: Slot) -> int:
        """What is under way to a shard gets lost, and nobody is told; answers how many parcels that were."""
        return len(list(_take(self._to_shard[number, slot], 1000)))

    def settle(self) -> None:
        """Let everyone take turns until nothing moves any more, not even when time passes."""
        for _ in range(1000):
            if not self._move_all():
                self.now += LONGEST_DELAY
                if not self._move_all():
                    return
        raise AssertionError("the bus does not come to rest")

    def _move_all(self) -> bool:
        moved = [self.turn_worker(number) for number in self.workers]
        moved += [self.carry_to_shard(*key) for key in self._to_shard]
        moved += [self.turn_shard(slot) for slot in self.shards]
        moved += [self.carry_to_worker(*key) for key in self._to_worker]
        return any(moved)

    def _carry_out(self, worker: Worker, arrival: Arrival) -> None:
        """What the worker's shell does, in the order in which it does it."""
        for subscription in arrival.confirmed:
            subscription.inbox.confirmed(subscription)
        worker.delivery.books.hand_over(worker.delivery.books.due)
        for handover in arrival.handovers:
            match handover:
                case Frames(outlets, frames):
                    for outlet in outlets:
                        for frame in frames:
                            outlet.write(frame)
                case Letters(inboxes, topic, letter):
                    for inbox in inboxes:
                        inbox.letter(topic, letter)
                case Echo(link, number):
                    for holder in link.release(number):
                        holder.released()
        worker.admitted += arrival.admitted

    # What the shards know

    def rows(self, topic: str) -> set[tuple[int, int]]:
        """The subscribers of a topic, by worker and number, over all shards of the epoch in which is published."""
        return {
            (row.worker, row.subscriber)
            for slot, shard in self.shards.items()
            if slot.epoch == self.map.publish
            for row in shard.table.rows(topic)
        }

    def audiences_in_table(self, worker: int, slot: Slot) -> dict[int, set[int]]:
        """The audiences of a worker as a shard has them."""
        return {
            audience.number: set(audience.members)
            for topic in self.shards[slot].table.topics()
            for audience in topic.audiences.get(worker, {}).values()
        }

    def audiences(self, worker: int, slot: Slot) -> dict[int, set[int]]:
        """The audiences of a worker as it has them itself."""
        link = self.workers[worker].delivery._links[slot]
        return {number: set(audience.members) for number, audience in link._audiences.items()}


def _take(queue: deque[bytes] | None, limit: int) -> Iterator[bytes]:
    while queue and limit:
        limit -= 1
        yield queue.popleft()


class Holder:
    """Waits for an echo."""

    def __init__(self, subscriber: Subscriber) -> None:
        self.subscriber = subscriber
        self.seen: list[Any] | None = None
        """What the subscriber had been handed when the echo was told, None before."""

    def released(self) -> None:
        assert self.seen is None, "released twice"
        self.seen = list(self.subscriber.frames)
