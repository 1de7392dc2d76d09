"""What waits for the engine: order, numbers, bounds, repetition."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from roost.broker.bridge.outgoing import CROSSING_BYTES, MAX_BATCH_BYTES, Outgoing
from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import MAX_HEAD_BYTES, NEWEST, Directs, Origin, Publishes, decode
from roost.shared.bus import Form
from roost.shared.crossing import encode_crossing

ORIGIN = Origin("a", "id", 1)
SUBJECTS = Subjects("roost")
MAX_PAYLOAD = MAX_HEAD_BYTES + 1000
streams = st.sampled_from([0, 7, 1023, "b", "c"])


def crossing(name: str, padding: int = 0) -> bytes:
    return encode_crossing("room", Form.JSON, name, b"x" * padding)


def sent(outgoing: Outgoing) -> list[tuple[int | str, int, str]]:
    """The next batch: stream, number and name of each."""
    found: list[tuple[int | str, int, str]] = []
    for subject, data in outgoing.batch(MAX_PAYLOAD, NEWEST):
        assert len(data) <= MAX_PAYLOAD
        message = decode(data)
        assert isinstance(message, Publishes | Directs)
        if isinstance(message, Publishes):
            stream: int | str = message.bucket
            assert subject == SUBJECTS.bucket(message.bucket)
        else:
            stream = next(node for node in ("b", "c") if subject == SUBJECTS.node(node))
        found += [(stream, message.first + at, one.event) for at, one in enumerate(message.crossings)]
    return found


def by_stream(found: list[tuple[int | str, int, str]]) -> dict[int | str, list[tuple[int, str]]]:
    grouped: dict[int | str, list[tuple[int, str]]] = {}
    for stream, number, name in found:
        grouped.setdefault(stream, []).append((number, name))
    return grouped


@given(
    st.lists(st.tuples(streams, st.sampled_from([0, 100, 900]))), st.lists(st.booleans()), st.sampled_from([500, 10**6])
)
def test_each_stream_comes_in_order_and_its_numbers_tell_what_was_dropped(
    taken: list[tuple[int | str, int]], confirms: list[bool], limit: int
) -> None:
    outgoing = Outgoing(ORIGIN, SUBJECTS, limit)
    kept: dict[int | str, list[tuple[int, str]]] = {}
    last: dict[int | str, int] = {}
    for at, (stream, padding) in enumerate(taken):
        last[stream] = last.get(stream, 0) + 1
        if outgoing.take(stream, crossing(str(at), padding)):
            kept.setdefault(stream, []).append((last[stream], str(at)))
    assert outgoing.count == sum(map(len, kept.values()))
    came: dict[int | str, list[tuple[int, str]]] = {}
    for confirm in (*confirms, True, *[True] * len(taken)):
        batch = by_stream(sent(outgoing))
        if confirm:
            outgoing.confirmed()
            for stream, numbers in batch.items():
                came.setdefault(stream, []).extend(numbers)
        else:
            outgoing.lost()
    assert came == kept
    assert (outgoing.count, outgoing.bytes) == (0, 0)
    assert outgoing.sent + outgoing.dropped == len(taken)
    buckets, nodes = outgoing.settled()
    assert buckets == {stream: number for stream, number in last.items() if isinstance(stream, int)}
    assert nodes == {stream: number for stream, number in last.items() if isinstance(stream, str)}


def test_an_empty_buffer_takes_one_whatever_its_size_and_then_none() -> None:
    outgoing = Outgoing(ORIGIN, SUBJECTS, 10)
    assert outgoing.take(1, crossing("a", 500))
    assert not outgoing.take(1, crossing("b"))
    sent(outgoing)
    assert not outgoing.take(1, crossing("c"))
    outgoing.confirmed()
    assert outgoing.take(1, crossing("d"))
    assert sent(outgoing) == [(1, 4, "d")]
    assert outgoing.dropped == 2


def test_what_is_too_large_for_the_engine_is_dropped_alone() -> None:
    outgoing = Outgoing(ORIGIN, SUBJECTS, 10**6)
    for name, padding in (("a", 0), ("b", 5000), ("c", 0)):
        outgoing.take(1, crossing(name, padding))
    assert sent(outgoing) == [(1, 1, "a"), (1, 3, "c")]
    outgoing.confirmed()
    assert (outgoing.dropped, outgoing.count, outgoing.bytes) == (1, 0, 0)


def test_settled_is_what_is_before_the_first_that_waits() -> None:
    outgoing = Outgoing(ORIGIN, SUBJECTS, 10**6)
    outgoing.take(1, crossing("a"))
    outgoing.take("b", crossing("a"))
    assert outgoing.settled() == ({1: 0}, {"b": 0})
    sent(outgoing)
    outgoing.take(1, crossing("b"))
    assert outgoing.settled() == ({1: 1}, {"b": 1})
    outgoing.lost()
    assert outgoing.settled() == ({1: 0}, {"b": 0})


def test_no_stream_waits_for_ever_behind_a_busy_one() -> None:
    outgoing = Outgoing(ORIGIN, SUBJECTS, 10**9)
    one = crossing("busy", 900)
    for _ in range(2 * MAX_BATCH_BYTES // len(one)):
        outgoing.take(1, one)
    outgoing.take(2, crossing("patient"))
    batch = outgoing.batch(MAX_PAYLOAD, NEWEST)
    assert any(subject == SUBJECTS.bucket(2) for subject, _ in batch)
    assert sum(len(data) for _, data in batch) < 3 * MAX_BATCH_BYTES
    assert outgoing.waits


def test_what_one_takes_is_counted_with_what_it_costs() -> None:
    outgoing = Outgoing(ORIGIN, SUBJECTS, 10**6)
    outgoing.take(1, crossing("a"))
    assert outgoing.bytes == len(crossing("a")) + CROSSING_BYTES
    assert msgspec.msgpack.decode(crossing("a"))


@given(st.text(min_size=1), st.text(min_size=1))
def test_names_are_safe_in_subjects_and_apart(one: str, other: str) -> None:
    assert (Subjects(one).node("x") == Subjects(other).node("x")) == (one == other)
    assert (SUBJECTS.node(one) == SUBJECTS.node(other)) == (one == other)
    assert set(SUBJECTS.node(one)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.")
