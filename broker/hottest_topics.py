"""Which topics mean most deliveries now, at a cost that does not grow with the load. Pure.

All that a publish costs is a comparison. While there are few publishes each of them is counted. Else deliveries are
imagined in a row and one of each `gap` is looked at: the publish that it belongs to is counted for all of them. So a
publish to ten thousand subscribers is not missed between many to two. Where in its gap the one stands goes by the
golden ratio: spread evenly, and in step with nothing that publishes do.

Two sketches are filled in turn, so that what is told is of the last few seconds.
"""

from collections.abc import Iterator
from typing import Final

from roost.broker.space_saving import SpaceSaving
from roost.shared.hottest import HotTopic
from roost.shared.topics import RESERVED

CAPACITY: Final = 200
"""Topics that are counted at a time: one with a larger part of all deliveries than the 200th is surely among them."""
WINDOW: Final = 3.0
"""Seconds after which the older sketch is forgotten: what is told is of the last 3 to 6 seconds."""
SAMPLES_A_TICK: Final = 50
"""Publishes that are looked at between two ticks, about."""
GOLDEN: Final = 0.6180339887498949


class HottestTopics:
    """The topics of one shard."""

    __slots__ = (
        "_began",
        "_gap",
        "_looked_at",
        "_offset",
        "_older",
        "_place",
        "_publishes",
        "_sketch",
        "_ticked",
        "next",
    )

    def __init__(self) -> None:
        self.next = 1
        """The number of the delivery that is looked at; whoever has made it calls `look`."""
        self._gap = 1
        self._place = 0.0
        self._offset = 0
        self._looked_at = 0
        """Since the tick, or since the gap was widened."""
        self._publishes = 0.0
        """Since the tick, as far as can be told."""
        self._ticked = 0
        """Deliveries until the last tick."""
        self._began: tuple[float, float] | None = None
        """When the older sketch began, and the newer one."""
        self._older = SpaceSaving(CAPACITY)
        self._sketch = SpaceSaving(CAPACITY)

    def look(self, topic: str, deliveries: int, total: int) -> None:
        """Of `total` deliveries so far the last ones, at least one, are this publish's; the next one is among them."""
        gap = self._gap
        found = 1 + (total - self.next) // gap
        publishes = found * gap / deliveries
        self._sketch.add(topic, found * gap, publishes)
        self._publishes += publishes
        self._place_next(found)
        self._looked_at += 1
        if self._looked_at > 2 * SAMPLES_A_TICK:
            self._look_at_one_of(2 * gap, total)

    def leave_out(self, deliveries: int) -> None:
        """So many are among the total that are of no topic."""
        self.next += deliveries

    def tick(self, now: float, total: int) -> None:
        """Several times a second: how closely to look from now on, and which sketch to fill."""
        few = self._publishes <= SAMPLES_A_TICK
        self._look_at_one_of(1 if few else max(1, (total - self._ticked) // SAMPLES_A_TICK), total)
        self._publishes = 0.0
        self._ticked = total
        if self._began is None:
            self._began = now, now
        elif now - self._began[1] >= WINDOW:
            self._began = self._began[1], now
            self._older, self._sketch = self._sketch, SpaceSaving(CAPACITY)

    def hottest(self, now: float) -> list[HotTopic]:
        """The topics with most deliveries of the last seconds, the most first."""
        if self._began is None or now <= self._began[0]:
            return []
        seconds = now - self._began[0]
        return sorted(self._rates(seconds), key=lambda row: -row.deliveries)

    def _rates(self, seconds: float) -> Iterator[HotTopic]:
        older = {counter.key: counter for counter in self._older.counters()}
        newer = {counter.key: counter for counter in self._sketch.counters()}
        for topic in older.keys() | newer.keys():
            if topic.startswith(RESERVED):
                continue
            found = [counters[topic] for counters in (older, newer) if topic in counters]
            yield HotTopic(
                topic,
                sum(counter.weight for counter in found) / seconds,
                sum(counter.times for counter in found) / seconds,
                sum(counter.error for counter in found) / seconds,
            )

    def _place_next(self, found: int) -> None:
        """One in each gap: the next one stands in the gap behind those that were passed."""
        self._place = (self._place + GOLDEN) % 1.0
        offset = int(self._place * self._gap)
        self.next += found * self._gap + offset - self._offset
        self._offset = offset

    def _look_at_one_of(self, gap: int, total: int) -> None:
        self._looked_at = 0
        if gap != self._gap:
            self._gap, self._offset = gap, 0
            self.next = max(total + 1, min(self.next, total + gap))
