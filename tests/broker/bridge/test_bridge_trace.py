"""What a bridge notes of other nodes' broadcasts, and that it is asked for none while no trace is on."""

from itertools import count

import pytest

from roost.broker.bridge.bridge_trace import BridgeTrace
from roost.shared.bus import TRACED, Form
from roost.shared.crossing import Crossing
from roost.shared.topics import PRESENCE
from roost.shared.trace import ASKER_LIMIT, FollowTrace, Published, TraceFilter
from roost.shared.trace_recorder import MAX_BEFORE_MATCH

BRIDGE = 9


def crossing(topic: str = "room:1", event: str = "new") -> Crossing:
    return Crossing(topic, Form.JSON, event, b'{"secret":1}')


def notes(trace: BridgeTrace, wanted: TraceFilter = TraceFilter(), limit: int = 1000) -> list[Published]:  # noqa: B008
    answer = trace.follow(FollowTrace(1, wanted, limit), 0.0)
    assert answer.process == f"bridge {BRIDGE}"
    return [note for note in answer.notes if isinstance(note, Published)]


@pytest.fixture
def trace() -> BridgeTrace:
    return BridgeTrace(BRIDGE, lambda: 3, count(100, 2).__next__)


def test_a_broadcast_is_noted_when_it_has_its_number(trace: BridgeTrace) -> None:
    assert notes(trace) == []
    followed = trace.mark(crossing(), "b", 90)
    assert followed is not None
    assert followed.trace & TRACED
    assert notes(trace) == []
    followed.published(7)
    (note,) = notes(trace)
    assert (note.node, note.worker, note.number, note.shards) == ("b", BRIDGE, 7, 3)
    assert (note.received, note.at, note.topic, note.event) == (90, followed.trace, "room:1", "new")
    assert (note.size, note.payload, note.socket) == (12, None, None)


@pytest.mark.parametrize(
    ("wanted", "of"),
    [
        (TraceFilter(topic="hall:*"), crossing()),
        (TraceFilter(event="old"), crossing()),
        (TraceFilter(event="new"), crossing(event="")),
        (TraceFilter(socket="1.1"), crossing()),
        (TraceFilter(), crossing(PRESENCE)),
    ],
)
def test_what_nobody_looks_for_is_not_traced(trace: BridgeTrace, wanted: TraceFilter, of: Crossing) -> None:
    notes(trace, wanted)
    assert trace.mark(of, "b", 1) is None


def test_a_trace_ends_with_its_limit_its_asker_and_when_it_is_told(trace: BridgeTrace) -> None:
    assert (trace.on, trace.count) == (False, 0)
    notes(trace, limit=1)
    assert (trace.on, trace.count) == (True, 1)
    followed = trace.mark(crossing(), "b", 1)
    assert followed is not None
    followed.published(1)
    assert trace.mark(crossing(), "b", 1) is None
    trace.end_unasked(ASKER_LIMIT)
    assert (trace.on, trace.count) == (False, 0)
    trace.follow(FollowTrace(2, TraceFilter(), 1), 0.0)
    assert trace.on
    trace.end(2)
    assert not trace.on


def test_what_finds_no_room_is_counted(trace: BridgeTrace) -> None:
    notes(trace)
    for number in range(1, MAX_BEFORE_MATCH + 1):
        followed = trace.mark(crossing(), "b", 1)
        assert followed is not None
        followed.published(number)
    assert trace.mark(crossing(), "b", 1) is None
    assert trace.follow(FollowTrace(1, TraceFilter(), 1000), 0.0).lost == 1
