"""Faults of shards and their supervisor: rules S1 to S7 and M1 to M6 taken away, one at a time."""

from typing import Any

import msgspec

from roost.broker import pool
from roost.broker.fanout import Fanout
from roost.broker.shard import Shard
from roost.broker.topic_table import TopicTable
from roost.shared.bus import Hello, Publish, Welcome
from roost.shared.peer.shard_link import ShardLink
from tests.simulation.planting import after, always, before, fault, instead
from tests.simulation.scenario import Scenario
from tests.simulation.shard import SimShard
from tests.simulation.supervisor import SimSupervisor

# S1: who is awaited, and which incarnation may live


@fault("S1 no barrier", 1)
def no_barrier(replace: Any) -> None:
    replace(Shard, "__init__", after(lambda self, *_, **__: self.awaited.clear()))


@fault("S1 barrier for some workers only", 1)
def barrier_for_some(replace: Any) -> None:
    def start(self: Any, *_: Any, **__: Any) -> None:
        self.awaited = {worker for worker in self.awaited if worker % 2}

    replace(Shard, "__init__", after(start))


@fault("S1 workers listed before the map is written", None)
def workers_listed_too_early(replace: Any) -> None:
    listed: dict[Any, set[int]] = {}

    def restart(original: Any) -> Any:
        def steps(self: Any, slot: Any) -> Any:
            listed[slot] = self.cluster.live_workers()
            for _ in range(30):
                yield
            yield from original(self, slot)

        return steps

    replace(SimSupervisor, "restart", restart)
    replace(SimShard, "live_workers", instead(lambda self: set(listed[self.slot])))


@fault("S1 incarnation does not check the map", 16)
def map_not_checked(replace: Any) -> None:
    replace(SimShard, "named", always(answer=True))


@fault("S1 map read before the lock", None)
def map_checked_before_the_lock(replace: Any) -> None:
    def start(self: Any) -> None:
        def lock_late() -> None:
            self.lock()
            self.later(self.clock.delay(0.02), self.begin)

        if self.named():
            self.later(self.clock.delay(0.05), lock_late)
        else:
            self.die()

    replace(SimShard, "start", instead(start))


# HELLO and WELCOME: S2


@fault("S2 merge instead of replace", 69)
def rows_are_merged(replace: Any) -> None:
    def make(original: Any) -> Any:
        def method(self: Any, worker: int, subscriptions: Any) -> None:
            if not subscriptions:
                original(self, worker, subscriptions)
            for subscription in subscriptions:
                self.subscribe(worker, subscription)

        return method

    replace(TopicTable, "replace", make)


@fault("S2 WELCOME confirms nothing", 1)
def welcome_confirms_nothing(replace: Any) -> None:
    replace(ShardLink, "welcome", after(lambda self: self.greeted.clear()))


@fault("S2 WELCOME without through", 21)
def welcome_without_through(replace: Any) -> None:
    def make(original: Any) -> Any:
        def method(self: Any, worker: int, peer: Any) -> Any:
            through = peer.through
            if not peer.owed_bytes:
                peer.through = 0
            try:
                return original(self, worker, peer)
            finally:
                peer.through = through

        return method

    replace(Shard, "_parcel", make)


@fault("S2 outbox not sent again", 3)
def outbox_not_sent_again(replace: Any) -> None:
    def hello(self: Any, worker: int, *_: Any) -> None:
        self._peers[worker].answers = [Welcome()]

    replace(Shard, "_hello", after(hello))


@fault("S2 HELLO empties the queue", 3)
def hello_empties_the_queue(replace: Any) -> None:
    def hello(self: Any, worker: int, *_: Any) -> None:
        kept = [(publisher, publish) for publisher, publish in self._queue if publisher != worker]
        self._queue.clear()
        self._queue.extend(kept)

    replace(Shard, "_hello", before(hello))


def _trusting(original: Any) -> Any:
    """Whoever says HELLO is believed to live."""

    def method(self: Any, worker: int, parcel: Any) -> None:
        alive, self._alive = self._alive, lambda _: True
        try:
            original(self, worker, parcel)
        finally:
            self._alive = alive

    return method


@fault("S2 HELLO of the dead accepted", 2)
def hello_of_the_dead(replace: Any) -> None:
    replace(Shard, "receive", _trusting)


# S4, S5: publishes


@fault("S4 no accepted", 3)
def repetitions_are_accepted(replace: Any) -> None:
    def receive(self: Any, worker: int, _: Any) -> None:
        if peer := self._peers.get(worker):
            peer.accepted = 0

    replace(Shard, "receive", before(receive))


@fault("S5 an entry for each lane", 1)
def an_entry_for_each_lane(replace: Any) -> None:
    def add(self: Any, publisher: int, publish: Publish) -> None:
        for due in self._due.values():
            if due.entries and (due.entries[-1].publisher, due.entries[-1].number) == (publisher, publish.number):
                entry = due.entries.pop()
                for frame in entry.frames:
                    due.entries.append(msgspec.structs.replace(entry, frames=(frame,), letters=()))
                for letter in entry.letters:
                    due.entries.append(msgspec.structs.replace(entry, frames=(), letters=(letter,)))

    replace(Fanout, "add", after(add))


@fault("S5 no deliver window", 1)
def no_deliver_window(replace: Any) -> None:
    replace(Shard, "_at_limit", always(answer=False))


# S6: when a publish is through


def _settle(self: Any, oldest: int) -> None:
    while self._unsettled and self._unsettled[0].turn < oldest:
        for publisher, (number, size) in self._unsettled.popleft().numbers.items():
            if peer := self._peers.get(publisher):
                peer.through = number
                peer.owed_bytes += size


@fault("S6 THROUGH on processing", 1)
def through_on_processing(replace: Any) -> None:
    replace(Shard, "_settle", instead(lambda self: _settle(self, self._turn + 1)))


@fault("S6 settle by any receiver", 10)
def settled_by_any_receiver(replace: Any) -> None:
    def settle(self: Any) -> None:
        waiting = [peer.outbox[0].turn for peer in self._peers.values() if peer.outbox]
        _settle(self, max(waiting, default=self._turn + 1))

    replace(Shard, "_settle", instead(settle))


# S7: the dead


@fault("S7 a break counts as death", 12)
def a_break_is_death(replace: Any) -> None:
    def broken(self: Any) -> None:
        for shard in self.cluster.living_shards():
            if shard.core is not None and shard.core._peers:
                worker = self.clock.random.choice(list(shard.core._peers))
                peer = shard.core._peers[worker]
                shard.core._to_dead += sum(sent.deliveries for sent in peer.outbox)
                peer.outbox.clear()
                peer.outbox_bytes = 0
                shard.core._settle()

    replace(Scenario, "break_connection", after(broken))


@fault("S7 the dead are never released", 1)
def the_dead_are_never_released(replace: Any) -> None:
    replace(Shard, "bury_the_dead", always())


@fault("S7 session of the dead kept", 1)
def session_of_the_dead_kept(replace: Any) -> None:
    def make(original: Any) -> Any:
        def method(self: Any) -> None:
            kept = dict(self._peers)
            original(self)
            for worker in kept.keys() - self._peers.keys():
                kept[worker].outbox.clear()
                kept[worker].outbox_bytes = 0
                self._peers[worker] = kept[worker]

        return method

    replace(Shard, "bury_the_dead", make)


@fault("S7 one-shot notices, no check at HELLO", 2)
def one_notice_of_each_death(replace: Any) -> None:
    def make(original: Any) -> Any:
        def method(self: Any) -> None:
            noticed = self.__dict__.setdefault("noticed", set())
            alive = self._alive
            self._alive = lambda worker: worker in noticed or alive(worker)
            dead = {worker for worker in self._peers.keys() | self.awaited if not alive(worker)}
            try:
                original(self)
            finally:
                self._alive = alive
            noticed |= dead

        return method

    replace(Shard, "bury_the_dead", make)
    replace(Shard, "receive", _trusting)


# W4 on the shard's side


@fault("W4 no counters", 1)
def no_counters(replace: Any) -> None:
    def receive(self: Any, worker: int, parcel: Any) -> None:
        peer = self._peers.get(worker)
        if peer is not None and peer.session == parcel.session:
            parcel.counter = peer.received

    def hear(self: Any, counter: int, *_: Any) -> None:
        self._received = counter

    replace(Shard, "receive", before(receive))
    replace(ShardLink, "hear", before(hear))


@fault("W4 older sessions used by the shard", 347)
def older_sessions_used_by_the_shard(replace: Any) -> None:
    def make(original: Any) -> Any:
        def method(self: Any, worker: int, parcel: Any) -> None:
            peer = self._peers.get(worker)
            if peer is None or parcel.session >= peer.session:
                original(self, worker, parcel)
                return
            if parcel.items and isinstance(parcel.items[0], Hello):
                self.table.replace(worker, parcel.items.pop(0).subscriptions)
            for item in parcel.items:
                self._handle(worker, peer, item)

        return method

    replace(Shard, "receive", make)


# M1 to M6: the supervisor


@fault("M1 older incarnation not killed first", 1)
def older_incarnation_left_alive(replace: Any) -> None:
    replace(SimSupervisor, "kill_older", always())


@fault("M4 abort after commit", 5)
def abort_after_commit(replace: Any) -> None:
    def abort(self: Any) -> None:
        shard_map = self.cluster.map
        if len(shard_map.epochs) == 2:
            old = min(shard_map.epochs)
            epochs = {old: shard_map.epochs[old]}
            self.write(msgspec.structs.replace(shard_map, version=shard_map.version + 1, publish=old, epochs=epochs))

    replace(SimSupervisor, "abort", instead(abort))


@fault("M5 retire at commit", 1)
def retire_at_commit(replace: Any) -> None:
    def make(original: Any) -> Any:
        def method(self: Any, current: Any, live_workers: Any) -> Any:
            if pool.phase(current) is pool.Phase.CHANGING_OVER:
                return pool.retired(current)
            return original(self, current, live_workers)

        return method

    replace(SimSupervisor, "next_map", make)


@fault("M5 retire by those that reported", 6)
def retire_by_those_that_reported(replace: Any) -> None:
    def make(original: Any) -> Any:
        def method(self: Any, current: Any, live_workers: Any) -> Any:
            return original(self, current, live_workers & self.publishing.keys())

        return method

    replace(SimSupervisor, "next_map", make)


@fault("M6 unnamed shards left alive", 1)
def unnamed_shards_left_alive(replace: Any) -> None:
    replace(SimSupervisor, "kill_unnamed", always())
