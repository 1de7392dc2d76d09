"""One incarnation of one slot: takes publishes, hands each worker its entries, repeats until acknowledged. Pure.

A shard is only a table and some bookkeeping that the workers can rebuild. The rules are S1 to S7 of the delivery
protocol (docs/architecture.md); the worker's side is `shared/peer/delivery.py`.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from roost.broker.fanout import ENTRY_BYTES, Fanout
from roost.broker.topic_table import TopicTable
from roost.shared.books import ShardBooks
from roost.shared.bus import (
    Batch,
    Hello,
    Ping,
    Pong,
    Publish,
    Reset,
    ShardParcel,
    Subscribe,
    Subscribed,
    ToWorker,
    Unsubscribe,
    Welcome,
    encode_item,
    encode_parcel,
)
from roost.shared.histogram import SIZES, Histogram

DELIVER_WINDOW: Final = 4 * 1024 * 1024
"""Bytes that one worker may leave unacknowledged; then the shard takes no further publish until it acknowledges."""
THROUGH_DELAY: Final = 0.005
"""Seconds that "your publishes are through" waits for something else to travel with."""
THROUGH_BYTES: Final = 64 * 1024
"""So many bytes of publishes through, and it waits no longer."""
MAX_DISBANDED: Final = 1024
"""So many audiences that are no more, and a worker is told even if nothing else is to be said."""


class Outgoing(NamedTuple):
    """A parcel for one session of one worker."""

    worker: int
    session: int
    parcel: bytes


class Sent(NamedTuple):
    """A batch that its worker has not acknowledged."""

    turn: int
    batch: msgspec.Raw
    size: int
    deliveries: int
    """What it means, counted by subscriber."""


class Turn(NamedTuple):
    """A turn that is not settled: the last number of each publisher in it, and the bytes published."""

    turn: int
    numbers: dict[int, tuple[int, int]]


@dataclass(slots=True, eq=False)
class Peer:
    """What a shard knows of one worker (or other publisher)."""

    session: int = 0
    received: int = 0
    sent: int = 0
    broken: bool = False
    """The session's counter had a gap: nothing more of it is used."""
    outbox: deque[Sent] = field(default_factory=deque)
    outbox_bytes: int = 0
    acknowledged: int = 0
    """Deliveries that it has acknowledged, counted by subscriber."""
    accepted: int = 0
    through: int = 0
    owed_bytes: int = 0
    """Bytes of its publishes that are through and that it has not been told of."""
    owed_since: float | None = None
    answers: list[ToWorker | msgspec.Raw] = field(default_factory=list)


class Shard:
    """The state machine. Its owner hands it parcels, then lets it take a turn, then sends what that gave."""

    def __init__(
        self,
        awaited: Iterable[int],
        alive: Callable[[int], bool],
        *,
        deliver_window: int = DELIVER_WINDOW,
    ) -> None:
        """`awaited` are the workers alive now (S1); `alive` is the oracle, asked by worker number."""
        self.table = TopicTable()
        self.awaited = set(awaited)
        self.fanout = Fanout(self.table)
        self.fan_out: Callable[[int, Publish], None] = self.fanout.add
        """Takes a publish; whoever traces publishes puts something in front of it."""
        self._alive = alive
        self._window = deliver_window
        self._peers: dict[int, Peer] = {}
        self._queue: deque[tuple[int, Publish]] = deque()
        self.batches = Histogram(SIZES)
        """Publishes handled in one turn."""
        self._turn = 0
        self._unsettled: deque[Turn] = deque()
        self._resets: list[Outgoing] = []
        self._acknowledged = 0
        self._to_dead = 0

    @property
    def open(self) -> bool:
        """Whether publishes are handled; not before every worker that lived at the start has said HELLO."""
        return not self.awaited

    @property
    def queued(self) -> int:
        """Publishes that wait: until all workers have said HELLO, or until one has acknowledged more."""
        return len(self._queue)

    @property
    def outbox_bytes(self) -> int:
        """Bytes of batches that workers have not acknowledged."""
        return sum(peer.outbox_bytes for peer in self._peers.values())

    def books(self) -> ShardBooks:
        """What became of all deliveries of this incarnation, counted by subscriber. They balance at any time."""
        return ShardBooks(
            fanout=self.fanout.deliveries,
            acknowledged=self._acknowledged,
            outbox=sum(sent.deliveries for peer in self._peers.values() for sent in peer.outbox),
            to_dead=self._to_dead,
        )

    def receive(self, worker: int, parcel: ShardParcel) -> None:
        """A parcel of a worker's session has arrived."""
        peer = self._peers.get(worker)
        if peer is not None and parcel.session < peer.session:
            return
        if peer is None or parcel.session > peer.session:
            hello = parcel.items.pop(0) if parcel.counter == 0 and parcel.items else None
            if not isinstance(hello, Hello):
                self._reset(worker, parcel.session)
                return
            if not self._alive(worker):
                return
            peer = self._hello(worker, parcel, hello)
        elif peer.broken or parcel.counter != peer.received:
            peer.broken = True
            self._reset(worker, parcel.session)
            return
        peer.received += 1
        self._acknowledge(peer, parcel.got)
        for item in parcel.items:
            if not isinstance(item, Publish):
                self._handle(worker, peer, item)
            elif item.number > peer.accepted:
                peer.accepted = item.number
                self._queue.append((worker, item))

    def bury_the_dead(self) -> None:
        """Ask the oracle about every worker that is known or awaited (S7)."""
        dead = {worker for worker in self._peers.keys() | self.awaited if not self._alive(worker)}
        for worker in dead:
            if peer := self._peers.pop(worker, None):
                self._to_dead += sum(sent.deliveries for sent in peer.outbox)
            self.table.forget(worker)
            self.awaited.discard(worker)
        if dead:
            self._settle()

    def turn(self, now: float) -> list[Outgoing]:
        """Handle what is queued, as far as the windows allow, and answer what is to be sent now."""
        if self.open and self._queue:
            self._process_queue()
        elif crowded := self.table.crowded(MAX_DISBANDED):
            self.fanout.due(crowded)
            self._end_turn({})
        outgoing, self._resets = self._resets, []
        for worker, peer in self._peers.items():
            if peer.answers or self._tells_through(peer, now):
                outgoing.append(self._parcel(worker, peer))
        return outgoing

    def deadline(self) -> float | None:
        """When `turn` has something to say even if nothing arrives."""
        owed = [peer.owed_since for peer in self._peers.values() if peer.owed_since is not None]
        return min(owed) + THROUGH_DELAY if owed else None

    # What arrives

    def _hello(self, worker: int, parcel: ShardParcel, hello: Hello) -> Peer:
        peer = self._peers.setdefault(worker, Peer())
        peer.session = parcel.session
        peer.received = 0
        peer.sent = 0
        peer.broken = False
        self.table.replace(worker, hello.subscriptions)
        self._acknowledge(peer, parcel.got)
        peer.answers = [Welcome(), *(sent.batch for sent in peer.outbox)]
        self.awaited.discard(worker)
        return peer

    def _handle(self, worker: int, peer: Peer, item: Subscribe | Unsubscribe | Hello | Ping) -> None:
        match item:
            case Subscribe(subscriber=subscriber):
                self.table.subscribe(worker, item)
                peer.answers.append(Subscribed(subscriber))
            case Unsubscribe(subscriber):
                self.table.unsubscribe(worker, subscriber)
            case Ping():
                peer.answers.append(Pong())
            case Hello():
                peer.broken = True

    def _reset(self, worker: int, session: int) -> None:
        if self._alive(worker):
            self._resets.append(Outgoing(worker, session, encode_parcel(session, 0, 0, [Reset()])))

    def _acknowledge(self, peer: Peer, got: int) -> None:
        outbox = peer.outbox
        if not outbox or outbox[0].turn > got:
            return
        while outbox and outbox[0].turn <= got:
            sent = outbox.popleft()
            peer.outbox_bytes -= sent.size
            peer.acknowledged += sent.deliveries
            self._acknowledged += sent.deliveries
        self._settle()

    # What is decided

    def _process_queue(self) -> None:
        """Take publishes while no outbox is at its limit; an empty one takes one entry, however large (S5)."""
        queue, fanout, fan_out = self._queue, self.fanout, self.fan_out
        numbers: dict[int, tuple[int, int]] = {}
        before = fanout.published
        room = self._window - max((peer.outbox_bytes for peer in self._peers.values()), default=0)
        while queue and (fanout.largest < room or not self._at_limit()):  # far from the limits, one look is enough
            publisher, publish = queue.popleft()
            fan_out(publisher, publish)
            size = numbers[publisher][1] if publisher in numbers else 0
            numbers[publisher] = (publish.number, size + len(publish.payload) + ENTRY_BYTES)
        if numbers:
            self.batches.observe(fanout.published - before)
            self._end_turn(numbers)

    def _end_turn(self, numbers: dict[int, tuple[int, int]]) -> None:
        self._turn += 1
        self._unsettled.append(Turn(self._turn, numbers))
        for worker, due in self.fanout.take().items():
            peer = self._peers[worker]
            batch, size = encode_item(Batch(self._turn, tuple(due.audiences), tuple(due.entries)))
            peer.outbox.append(Sent(self._turn, batch, size, due.deliveries))
            peer.outbox_bytes += size
            peer.answers.append(batch)
        self._settle()

    def _at_limit(self) -> bool:
        size, window = self.fanout.size, self._window
        return any(peer.outbox_bytes + size(worker) >= window for worker, peer in self._peers.items())

    def _settle(self) -> None:
        """Every remembered turn below the oldest unacknowledged one is through (S6)."""
        oldest = min((peer.outbox[0].turn for peer in self._peers.values() if peer.outbox), default=self._turn + 1)
        unsettled = self._unsettled
        while unsettled and unsettled[0].turn < oldest:
            for publisher, (number, size) in unsettled.popleft().numbers.items():
                if peer := self._peers.get(publisher):
                    peer.through = number
                    peer.owed_bytes += size

    # What is sent

    def _tells_through(self, peer: Peer, now: float) -> bool:
        if not peer.owed_bytes:
            return False
        if peer.owed_since is None:
            peer.owed_since = now
        return peer.owed_bytes >= THROUGH_BYTES or now >= peer.owed_since + THROUGH_DELAY

    def _parcel(self, worker: int, peer: Peer) -> Outgoing:
        parcel = encode_parcel(peer.session, peer.sent, peer.through, peer.answers)
        peer.sent += 1
        peer.answers = []
        peer.owed_bytes = 0
        peer.owed_since = None
        return Outgoing(worker, peer.session, parcel)
