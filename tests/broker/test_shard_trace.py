"""What a shard notes of traced publishes, and that nothing of it is left when no trace is on."""

from collections.abc import Iterator
from itertools import count

import pytest

from roost.broker.shard import Shard
from roost.broker.shard_trace import ShardTrace
from roost.shared.bus import Form, Hello, Lane, Publish, ShardParcel, Subscribe
from roost.shared.shard_map import Slot
from roost.shared.trace import ASKER_LIMIT, FannedOut, FollowTrace, TraceFilter

EVEN, ODD = 1000, 1001


class Traced:
    """An open shard of two workers, in which topics have members."""

    def __init__(self) -> None:
        self.shard = Shard((), lambda _: True)
        self.clock: Iterator[int] = count(1)
        self.trace = ShardTrace(Slot(0, 1), 3, self.shard, self.clock.__next__)
        self.sent = 0
        self.say(1, Hello((Subscribe(1, "room:1", Lane.V2), Subscribe(2, "room:1", Lane.V1))))
        self.say(2, Hello((Subscribe(1, "room:1", Lane.V2),)))
        self.counters = {1: 1, 2: 1}

    def say(self, worker: int, *items: Hello | Publish, counter: int = 0) -> None:
        self.trace.receive(worker, ShardParcel(1, counter, 0, list(items)))

    def publish(self, number: int, topic: str, trace: int) -> None:
        self.say(1, Publish(number, topic, Form.JSON, "new", b"{}", 0, trace), counter=self.counters[1])
        self.counters[1] += 1

    def notes(self, **wanted: str) -> list[FannedOut]:
        answer = self.trace.follow(FollowTrace(1, TraceFilter(**wanted), 10, {"shard 0/1.3": self.sent}), 0.0)
        self.sent = answer.last
        assert answer.process == "shard 0/1.3"
        return [note for note in answer.notes if isinstance(note, FannedOut)]


@pytest.fixture
def traced() -> Traced:
    return Traced()


def test_traced_publishes_are_noted_with_the_members_found(traced: Traced) -> None:
    traced.notes()
    traced.publish(1, "room:1", ODD)
    traced.publish(2, "room:1", EVEN)
    traced.publish(3, "room:empty", ODD)
    traced.publish(4, "room:1", 0)
    traced.shard.turn(0.0)
    first, second = traced.notes()
    assert (first.publisher, first.number, first.slot, first.members) == (1, 1, Slot(0, 1), {1: 2, 2: 1})
    assert (second.number, second.members) == (3, {})
    assert first.arrived < second.arrived < first.encoded < second.encoded
    assert traced.shard.fanout.published == 4


def test_only_topics_that_are_looked_for(traced: Traced) -> None:
    traced.notes(topic="hall:*")
    traced.publish(1, "room:1", ODD)
    traced.shard.turn(0.0)
    assert traced.notes(topic="hall:*") == []


def test_a_repeated_publish_came_when_it_first_came(traced: Traced) -> None:
    traced.notes()
    traced.publish(1, "room:1", ODD)
    traced.publish(1, "room:1", ODD)
    traced.shard.turn(0.0)
    (note,) = traced.notes()
    assert note.arrived == 1


def test_when_the_last_trace_ends_the_shard_is_as_before(traced: Traced) -> None:
    untouched = Shard((), lambda _: True)
    before = traced.trace.receive, traced.shard.fan_out
    for number in (1, 2):
        traced.trace.follow(FollowTrace(number, TraceFilter(), 10), 0.0)
    assert (traced.trace.receive, traced.shard.fan_out) != before
    traced.trace.end(1)
    assert traced.trace.count == 1
    assert (traced.trace.receive, traced.shard.fan_out) != before
    traced.trace.end_unasked(ASKER_LIMIT)
    assert traced.trace.count == 0
    assert (traced.trace.receive, traced.shard.fan_out) == before
    assert untouched.fan_out == untouched.fanout.add
    assert traced.shard.fan_out == traced.shard.fanout.add
