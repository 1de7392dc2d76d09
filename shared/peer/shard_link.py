"""The worker's side of one slot: the session with the shard that holds it, and what came from there. Pure.

What must bridge the incarnations of the slot (`seen`, `through`) outlives sessions; everything else begins anew.
"""

from collections import deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec

from roost.shared.bus import (
    Batch,
    Change,
    Disband,
    Entry,
    Gather,
    Ping,
    ToShard,
    encode_parcel,
    unpack_numbers,
)
from roost.shared.peer.audience import Audience, Subscription
from roost.shared.peer.books import Books, Timed
from roost.shared.shard_map import Slot

ACK_DELAY: Final = 0.05
"""Seconds that an acknowledgement waits for something else to travel with."""
ACK_TURNS: Final = 32
ACK_BYTES: Final = 64 * 1024
"""So many turns or bytes of frames not acknowledged, and it waits no longer."""
PING_PERIOD: Final = 1.0
"""Seconds between two pings."""
PONG_LIMIT: Final = 3.0
"""Seconds without any word from a shard that was pinged, or greeted, after which a new session is begun."""
MAX_PONG_LIMIT: Final = 30.0
"""The limit doubles with each session that stays without an answer, up to this."""

MAX_TIMED: Final = 10_000
"""Timed entries that are due at a time; what comes beyond them is not timed."""
MAX_DEAD: Final = 4096
"""So many publishers that are dead are remembered a slot; then the one that has been dead longest is forgotten."""


class Frames(msgspec.Struct):
    """Write these frames, one after another, to each of these outlets."""

    outlets: list[Any]
    frames: list[bytes]
    topic: str
    """What they were broadcast on."""
    joined: bytes = b""
    """What `join` has answered."""

    def join(self) -> bytes:
        """All frames, one behind another: made once, however many outlets it is written to."""
        if not self.joined:
            self.joined = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        return self.joined


class Letters(msgspec.Struct, frozen=True):
    """Hand this letter to each of these inboxes."""

    inboxes: list[Any]
    topic: str
    letter: bytes


class Echo(msgspec.Struct, frozen=True):
    """The worker's own publishes up to a number are handed over from here: who waited for that may go on."""

    link: "ShardLink"
    number: int


Handover = Frames | Letters | Echo


class ShardLink:
    """The link to one slot."""

    def __init__(self, slot: Slot, worker: int, through: int, books: Books) -> None:
        self.slot = slot
        self._worker = worker
        self.through = through
        """This worker's publishes up to this number have been handed over by all that this slot serves."""
        self.seen: dict[int, int] = {}
        """For each publisher the highest number handed over from this slot, whichever incarnation sent it."""
        self.seen_of_dead: dict[int, int] = {}
        """The same for publishers that are known to be dead: what they had said may still be under way."""
        self.incarnation = 0
        self.session = 0
        self.welcomed = False
        self.greeted: list[Subscription] = []
        """Subscriptions that the session's WELCOME will confirm, as far as they still wait."""
        self.outgoing: list[ToShard | msgspec.Raw] = []
        self._holds: deque[tuple[int, Any]] = deque()
        """Publish numbers whose echo is waited for, in order, with whoever waits."""
        self._echoed = 0
        self.offered = 0
        """What this incarnation offered, counted by subscriber: all of it is acknowledged when nothing is under way."""
        self._books = books
        self._sent = 0
        self._received = 0
        self._got = 0
        self._audiences: dict[int, Audience] = {}
        self._unacknowledged_turns = 0
        self._unacknowledged_bytes = 0
        self._ack_due: float | None = None
        self._heard = 0.0
        self._pinged: float | None = None
        self._pong_limit = PONG_LIMIT

    def begin(self, session: int, incarnation: int, items: Iterable[ToShard | msgspec.Raw], now: float) -> None:
        """Begin a session, with what is to be said first (W3)."""
        if incarnation != self.incarnation:
            for audience in self._audiences.values():
                audience.disband()
            self._audiences.clear()
            self.offered = 0
            self._got = 0
            self._pong_limit = PONG_LIMIT
        self.incarnation = incarnation
        self.session = session
        self.welcomed = False
        self.outgoing = list(items)
        self._sent = self._received = 0
        self._acknowledged()
        self._heard = now
        self._pinged = now

    def hear(self, counter: int, through: int, now: float) -> bool:
        """A parcel of this session: False if one before it is missing (W4)."""
        if counter != self._received:
            return False
        self._received += 1
        self._heard = now
        self._pinged = None
        self.through = max(self.through, through)
        return True

    def welcome(self) -> None:
        """The shard has answered our HELLO."""
        self.welcomed = True
        self._pong_limit = PONG_LIMIT

    def hand_over(self, batch: Batch, subscriptions: dict[int, Subscription], now: float) -> list[Handover]:
        """What a turn of the shard brings, without what had come before (W7)."""
        if batch.turn <= self._got:
            return []
        for change in batch.audiences:
            self._change_audience(change, subscriptions)
        handovers: list[Handover] = []
        seen = self.seen
        for entry in batch.entries:
            publisher, number = entry.publisher, entry.number
            if number <= (seen.get(publisher) or self.seen_of_dead.get(publisher, 0)):
                self._count_duplicate(entry)
                continue
            seen[publisher] = number
            self._hand_over_entry(entry, handovers)
            if publisher == self._worker and self.waits_for(number):
                # What waits for this one comes before the next one.
                handovers.append(Echo(self, number))
        if (last := seen.get(self._worker, 0)) > self._echoed:
            handovers.append(Echo(self, last))
        self._got = batch.turn
        self._unacknowledged_turns += 1
        if self._ack_due is None:
            self._ack_due = now + ACK_DELAY
        return handovers

    def _hand_over_entry(self, entry: Entry, handovers: list[Handover]) -> None:
        sender = entry.sender
        if entry.trace and len(self._books.timed) < MAX_TIMED:
            self._books.timed.append(self._timed(entry))
        for number, frame in entry.frames:
            audience = self._audiences[number]
            outlets = audience.outlets(sender)
            handovers.append(Frames(outlets, [frame], audience.topic))
            self._unacknowledged_bytes += len(frame)
            self._count(audience, sender, len(outlets))
        for number, letter in entry.letters:
            audience = self._audiences[number]
            inboxes = audience.inboxes(sender)
            handovers.append(Letters(inboxes, audience.topic, letter))
            self._unacknowledged_bytes += len(letter)
            self._count(audience, sender, len(inboxes))

    def _timed(self, entry: Entry) -> Timed:
        frames = [self._audiences[number] for number, _ in entry.frames]
        letters = [self._audiences[number] for number, _ in entry.letters]
        topic = next((audience.topic for audience in (*frames, *letters)), "")
        sender = entry.sender
        recipients = sum(len(audience.outlets(sender)) for audience in frames)
        recipients += sum(len(audience.inboxes(sender)) for audience in letters)
        return Timed(entry.publisher, entry.number, entry.trace, self.slot, topic, recipients, bool(frames))

    def _count(self, audience: Audience, sender: int, handed: int) -> None:
        offered = len(audience.members) - (sender in audience.members)
        books = self._books
        self.offered += offered
        books.offered += offered
        books.due += handed
        if handed != offered:
            gone = audience.gone_members(sender)
            books.gone += gone
            books.early += offered - handed - gone

    def _count_duplicate(self, entry: Entry) -> None:
        for number, _ in (*entry.frames, *entry.letters):
            members = self._audiences[number].members
            offered = len(members) - (entry.sender in members)
            self.offered += offered
            self._books.offered += offered
            self._books.duplicate += offered

    def bury(self, dead: AbstractSet[int]) -> None:
        """These publishers are dead: of at most MAX_DEAD is remembered what they said last (W7)."""
        for publisher in dead & self.seen.keys():
            self.seen_of_dead.pop(publisher, None)
            self.seen_of_dead[publisher] = self.seen.pop(publisher)
        while len(self.seen_of_dead) > MAX_DEAD:
            del self.seen_of_dead[next(iter(self.seen_of_dead))]

    def echoed(self, number: int) -> bool:
        """Whether this worker's publish of that number was handed over here, as far as it ever will be (W10)."""
        return number <= self._echoed or number <= self.through

    def hold(self, number: int, holder: Any) -> None:
        """`release` is to answer `holder` when that publish has been echoed."""
        self._holds.append((number, holder))

    def waits_for(self, number: int) -> bool:
        """Whether anyone waits for a publish up to that number."""
        return bool(self._holds) and self._holds[0][0] <= number

    def release(self, number: int) -> list[Any]:
        """Publishes up to that number have been handed over: answers who waited."""
        self._echoed = max(self._echoed, number)
        released = []
        while self._holds and self.echoed(self._holds[0][0]):
            released.append(self._holds.popleft()[1])
        return released

    def ping(self, now: float) -> bool:
        """Once a period: ask for a sign of life. False if the shard gave none for too long."""
        if self._pinged is not None:
            if now - self._pinged < self._pong_limit:
                return True
            self._pong_limit = min(2 * self._pong_limit, MAX_PONG_LIMIT)
            return False
        if now - self._heard >= PING_PERIOD:
            self._pinged = now
            self.outgoing.append(Ping())
        return True

    def parcel(self, now: float) -> bytes | None:
        """What is to be sent now, acknowledgements included; None if nothing is."""
        if not self.outgoing and not self._must_acknowledge(now):
            return None
        parcel = encode_parcel(self.session, self._sent, self._got, self.outgoing)
        self._sent += 1
        self.outgoing = []
        self._acknowledged()
        return parcel

    def deadline(self) -> float | None:
        """When an acknowledgement must leave even if nothing else does."""
        return self._ack_due

    def disband(self) -> None:
        """The slot is no more."""
        for audience in self._audiences.values():
            audience.disband()

    def _change_audience(self, change: Gather | Change | Disband, subscriptions: dict[int, Subscription]) -> None:
        match change:
            case Gather(number, topic, lane, members):
                audience = self._audiences[number] = Audience(topic, lane)
                audience.join(unpack_numbers(members), subscriptions)
            case Change(number, joined, left):
                audience = self._audiences[number]
                audience.leave(unpack_numbers(left))
                audience.join(unpack_numbers(joined), subscriptions)
            case Disband(number):
                self._audiences.pop(number).disband()

    def _must_acknowledge(self, now: float) -> bool:
        return self._ack_due is not None and (
            now >= self._ack_due or self._unacknowledged_turns >= ACK_TURNS or self._unacknowledged_bytes >= ACK_BYTES
        )

    def _acknowledged(self) -> None:
        self._unacknowledged_turns = 0
        self._unacknowledged_bytes = 0
        self._ack_due = None
