"""Which topics are hottest: what is asked, what each shard answers, and how their answers are put together. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from roost.shared.control_message import ControlMessage
from roost.shared.shard_map import Slot

MAX_TOPICS: Final = 20
"""Topics of one answer, where nobody asks for another number."""


class AskHottestTopics(ControlMessage, frozen=True):
    """To the broker, on to all shards. Answered by `HottestTopics`, or `ShardTopics` of one shard."""

    limit: int = MAX_TOPICS


class HotTopic(msgspec.Struct, frozen=True):
    """A topic with what it meant in a second of the last few."""

    topic: str
    deliveries: float
    """A second, by subscriber. Never too low where every publish is counted, and too high by `error` at most."""
    publishes: float
    """A second, as far as they were counted for this topic."""
    error: float


class ShardTopics(msgspec.Struct, frozen=True):
    """The hottest topics of one shard, as many as it counts."""

    slot: Slot
    topics: tuple[HotTopic, ...]


class HottestTopics(msgspec.Struct, frozen=True):
    """The hottest topics of the node, the hottest first."""

    topics: tuple[HotTopic, ...]
    silent: tuple[str, ...] = ()
    """Who did not answer in time."""


def hottest_of_all(answers: Iterable[ShardTopics], limit: int) -> tuple[HotTopic, ...]:
    """The topics of all shards together.

    A publish goes to each shard of one epoch, so the most that one of them has seen is what there was; deliveries are
    each shard's own.
    """
    rows: dict[str, HotTopic] = {}
    publishes: dict[str, dict[int, float]] = {}
    for answer in answers:
        for row in answer.topics:
            seen = publishes.setdefault(row.topic, {})
            seen[answer.slot.epoch] = max(seen.get(answer.slot.epoch, 0.0), row.publishes)
            old = rows.get(row.topic, HotTopic(row.topic, 0.0, 0.0, 0.0))
            rows[row.topic] = HotTopic(
                row.topic, old.deliveries + row.deliveries, sum(seen.values()), old.error + row.error
            )
    return tuple(sorted(rows.values(), key=lambda row: (-row.deliveries, row.topic))[:limit])
