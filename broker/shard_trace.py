"""What a shard notes of the broadcasts that are traced: when they came, when they were encoded, whom they are for.

A publisher decides which of its broadcasts are traced, and their PUBLISH says so. While no trace is on, what parcels
and publishes go through is the shard itself, and nothing here.
"""

import time
from collections.abc import Callable
from typing import Final

from roost.broker.shard import Shard
from roost.shared.bus import TRACED, Publish, ShardParcel
from roost.shared.shard_map import Slot
from roost.shared.trace import FannedOut, FollowTrace, TraceNotes
from roost.shared.trace_recorder import Recordings

MAX_ARRIVED: Final = 10_000
"""Traced publishes that wait to be fanned out; of those beyond them it is not known when they came."""


class ShardTrace:
    """The traces that one shard takes part in."""

    def __init__(
        self, slot: Slot, incarnation: int, shard: Shard, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.receive = shard.receive
        """Takes a parcel of a worker, for the shard."""
        self._slot = slot
        self._shard = shard
        self._clock = clock
        self._recordings = Recordings(f"shard {slot}.{incarnation}")
        self._arrived: dict[tuple[int, int], int] = {}

    @property
    def count(self) -> int:
        """How many traces are on."""
        return len(self._recordings.on)

    def follow(self, question: FollowTrace, now: float) -> TraceNotes:
        """What was noted since; the first question of a trace begins it."""
        notes = self._recordings.follow(question, now)
        self._switch()
        return notes

    def end(self, number: int) -> None:
        """A trace is over."""
        self._recordings.end(number)
        self._switch()

    def end_unasked(self, now: float) -> None:
        """End the traces that nobody asks for any more."""
        if self._recordings.on:
            self._recordings.end_unasked(now)
            self._switch()

    def _switch(self) -> None:
        on = bool(self._recordings.on)
        self.receive = self._receive if on else self._shard.receive
        self._shard.fan_out = self._fan_out if on else self._shard.fanout.add
        if not on:
            self._arrived.clear()

    def _receive(self, worker: int, parcel: ShardParcel) -> None:
        now = self._clock()
        for item in parcel.items:
            if isinstance(item, Publish) and item.trace & TRACED and len(self._arrived) < MAX_ARRIVED:
                self._arrived.setdefault((worker, item.number), now)
        self._shard.receive(worker, parcel)

    def _fan_out(self, publisher: int, publish: Publish) -> None:
        if not publish.trace & TRACED:
            self._shard.fanout.add(publisher, publish)
            return
        began = self._clock()
        self._shard.fanout.add(publisher, publish)
        arrived = self._arrived.pop((publisher, publish.number), began)
        topic = self._shard.table.topic(publish.topic)
        members = {} if topic is None else topic.members()
        note = FannedOut(publisher, publish.number, self._slot, arrived, self._clock(), members)
        for recording in self._recordings.on:
            if recording.concerns(publish.topic):
                recording.part(note)
