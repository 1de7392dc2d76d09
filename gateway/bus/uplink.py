"""The bus as a worker's channels and mailboxes see it. No decisions here."""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.bus.gathering import Gathering
from roost.gateway.bus.handover import hand_over
from roost.gateway.bus.local_topics import LocalTopics
from roost.gateway.transports.turn import Turn
from roost.shared.bus import TRACED, Form, Lane, Reach
from roost.shared.histogram import SECONDS, Histogram
from roost.shared.peer.books import Books
from roost.shared.peer.delivery import Arrival
from roost.shared.peer.shard_link import Frames, Handover, Letters
from roost.shared.peer.shard_sockets import ShardSockets
from roost.shared.run_directory import RunDirectory, worker_name
from roost.shared.shard_map import ShardMap, Slot

if TYPE_CHECKING:
    from roost.gateway.inspection.tracer import Tracer
    from roost.shared.peer.audience import Subscription

TIMING_PERIOD: Final = 0.02
"""Seconds: at most one publish in this time is timed on its way, the first after the turn that ends it."""


class Uplink:
    """The bus as channels and mailboxes see it: subscribe, publish, and the echo of what was published."""

    def __init__(self, run_dir: RunDirectory, worker: int, turn: Turn, loop: asyncio.AbstractEventLoop) -> None:
        self._run_dir = run_dir
        self._turn = turn
        self._loop = loop
        self._sockets = ShardSockets(run_dir, worker, loop, self._carry_out, turn.wake)
        self._delivery = self._sockets.delivery
        self.local_topics = LocalTopics()
        self.max_payload = sys.maxsize
        """Bytes that a publish for other nodes may have: no limit until a bridge has told it."""
        self.changed_over: Callable[[int], None] = lambda _: None
        """Called with the epoch in which this worker publishes from now on."""
        self._epoch = self._delivery.epoch
        self._gathering = Gathering()
        self.latency = Histogram(SECONDS)
        """Seconds from a publish, of whichever worker, to its last write here; of those that are timed."""
        self.write_time = Histogram(SECONDS)
        """Seconds that it took to hand over all that came with a timed publish."""
        self.tracer: Tracer | None = None
        """Who is told what happens, while a trace is on."""
        self._looks_at_next = True
        """Whether the next publish is looked at: it may be timed."""
        self._samples_next = True
        self._timing_due = 0.0
        turn.at_end = self._end_turn
        turn.wake()

    async def linked(self) -> None:
        """Wait until every shard has answered."""
        await self._sockets.linked()

    def drained(self) -> bool:
        """Whether all that was published, and all that waits to be, has reached its receivers."""
        return self._delivery.drained()

    @property
    def epoch(self) -> int:
        """The epoch in which this worker publishes."""
        return self._delivery.epoch

    @property
    def published(self) -> int:
        """The number of the last publish."""
        return self._delivery.published

    @property
    def shards(self) -> int:
        """How many shards a publish goes to."""
        return self._delivery.shards

    @property
    def log_bytes(self) -> int:
        """Bytes of publishes that are not through."""
        return self._delivery.log_bytes

    @property
    def waiting_publishes(self) -> int:
        """How many publishes wait for credit."""
        return self._delivery.waiting_publishes

    @property
    def books(self) -> Books:
        """What became of all that was offered to this worker's subscribers."""
        return self._delivery.books

    def node_id(self) -> str:
        """Names the node among others."""
        return self._run_dir.node_id()

    def live_workers(self) -> set[int]:
        """All workers of the node that live, asked of their locks."""
        return self._run_dir.serving_workers()

    def worker_lives(self, worker: int) -> bool:
        """Whether a worker of the node lives, asked of its lock."""
        return self._run_dir.alive(worker_name(worker))

    @property
    def ticked(self) -> float:
        """The time of the last tick, by the loop's clock: to note it costs no memory of its own."""
        return self._delivery.ticked

    @property
    def subscriptions(self) -> "dict[int, Subscription]":
        """All subscriptions of this worker, by number."""
        return self._delivery.subscriptions

    def owner(self, subscription: "Subscription") -> Slot:
        """The shard that serves a subscription."""
        return self._delivery.owner(subscription)

    # For channels and mailboxes

    def subscribe(
        self, client_hash: int, topic: str, lane: Lane, intercepts: tuple[str, ...], outlet: Any, inbox: Any
    ) -> "Subscription":
        """Subscribe; `inbox.confirmed(subscription)` is called when it stands."""
        self._turn.wake()
        self._gathering.subscribe()
        subscription = self._delivery.subscribe(client_hash, topic, lane, intercepts, outlet, inbox)
        self.local_topics.add(subscription)
        if self.tracer is not None:
            self.tracer.subscribed(subscription, "subscribe")
        return subscription

    def subscriber(self, number: int) -> Any:
        """Who subscribes under that number: what was given as `inbox`; None if nobody does any more."""
        subscription = self._delivery.subscriptions.get(number)
        return subscription.inbox if subscription is not None else None

    def unsubscribe(self, subscription: "Subscription") -> None:
        """Nothing comes from now on."""
        self._turn.wake()
        self.local_topics.discard(subscription)
        if self.tracer is not None:
            self.tracer.subscribed(subscription, "unsubscribe")
        self._delivery.unsubscribe(subscription)

    def publish_now(
        self,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
    ) -> int:
        """Publish if there is credit. Returns the publish's number, or 0: then `publish` must be awaited."""
        trace = self._timing(topic, event) if self._looks_at_next else 0
        number = self._delivery.publish(topic, form, event, payload, sender, reach, trace)
        if number:
            self._gathering.hurry()
            self._turn.wake()
            if trace and self.tracer is not None:
                self.tracer.published(number, trace, topic, form, event, payload)
        return number

    def trace(self, tracer: "Tracer | None") -> None:
        """Tell this one what happens from now on; with None nobody."""
        self.tracer = tracer
        self._looks_at_next = True
        self._sockets.notes_arrival = tracer is not None

    async def publish(
        self,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
    ) -> int:
        """Publish when there is credit, after those who wait already. Returns the publish's number."""
        number: asyncio.Future[int] = self._loop.create_future()
        tracer = self.tracer
        trace = 0 if tracer is None else tracer.mark(topic, event)
        self._delivery.await_credit(number, topic, form, event, payload, sender, reach, trace)
        try:
            admitted = await number
        except asyncio.CancelledError:
            self._delivery.withdraw(number)
            raise
        if tracer is not None:
            tracer.published(admitted, trace, topic, form, event, payload)
        return admitted

    def hand_over(self, handovers: list[Frames | Letters], event: str) -> None:
        """Hand over what this worker itself tells its own subscribers; it counts in the books as if it had come in."""
        if self.tracer is not None:
            self.tracer.told_locally(handovers, event)
        for handover in handovers:
            due = len(handover.outlets) if isinstance(handover, Frames) else len(handover.inboxes)
            self.books.offered += due
            self.books.due += due
        self._hand_over([*handovers])

    def echoed(self, client_hash: int, number: int) -> bool:
        """Whether a client has had this worker's publish of that number."""
        return self._delivery.echoed(client_hash, number)

    def hold(self, client_hash: int, number: int, holder: Any) -> None:
        """Have `holder.released()` called when `echoed` has become true."""
        self._delivery.hold(client_hash, number, holder)

    # The shard map

    def adopt(self, shard_map: ShardMap) -> None:
        """The map was pushed, or read from its file."""
        self._sockets.adopt(shard_map)

    def close(self) -> None:
        """Close all sockets."""
        self._sockets.close()

    # What arrives

    def _carry_out(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            for subscription in arrival.confirmed:
                subscription.inbox.confirmed(subscription)
        handovers = [handover for arrival in arrivals for handover in arrival.handovers]
        if handovers:
            began = time.monotonic_ns() if self.books.timed else 0
            self._hand_over(handovers)
            if began:
                self._time(began)
        if self._epoch != self._delivery.epoch:
            self._epoch = self._delivery.epoch
            self.changed_over(self._epoch)
        for arrival in arrivals:
            for ticket, number in arrival.admitted:
                if not ticket.done():
                    ticket.set_result(number)

    def _hand_over(self, handovers: list[Handover]) -> None:
        departed = self._delivery.departed
        departed.clear()
        self.books.hand_over(hand_over(handovers, self._turn, departed))

    def _timing(self, topic: str, event: str) -> int:
        """The time for a publish that is timed: because it is traced, or as a sample of all; else 0."""
        tracer = self.tracer
        sampled, self._samples_next = self._samples_next, False
        self._looks_at_next = tracer is not None
        if tracer is not None and (traced := tracer.mark(topic, event)):
            return traced
        return time.monotonic_ns() & ~TRACED if sampled else 0

    def _time(self, began: int) -> None:
        """What was handed over held publishes that are timed: write now what is left of it, and look at the clock."""
        self._turn.flush()
        now = time.monotonic_ns()
        timed, self.books.timed = self.books.timed, []
        framed = [one.trace for one in timed if one.framed]
        for published in framed:
            self.latency.observe((now - published) / 1e9)
        if framed:
            self.write_time.observe((now - began) / 1e9)
        if self.tracer is not None:
            self.tracer.written(timed, self._sockets.arrived, began, now)

    def _end_turn(self) -> None:
        if self._gathering.waits():
            self._turn.wake()
        else:
            self._flush()

    def _flush(self) -> None:
        now = self._loop.time()
        if now >= self._timing_due:
            self._looks_at_next = self._samples_next = True
            self._timing_due = now + TIMING_PERIOD
        self._sockets.flush()
