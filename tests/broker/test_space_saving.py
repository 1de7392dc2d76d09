"""The sketch keeps what its authors promise, whatever comes: held against a plain count."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from roost.broker.space_saving import SpaceSaving

streams = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.integers(1, 50)), max_size=200)


def fed(stream: list[tuple[str, int]], capacity: int) -> tuple[SpaceSaving, Counter[str]]:
    sketch, truth = SpaceSaving(capacity), Counter[str]()
    for key, weight in stream:
        sketch.add(key, weight)
        truth[key] += weight
    return sketch, truth


@given(streams, st.integers(1, 8))
def test_weights_are_never_too_low_and_too_high_by_the_error_at_most(
    stream: list[tuple[str, int]], capacity: int
) -> None:
    sketch, truth = fed(stream, capacity)
    for counter in sketch.counters():
        assert counter.weight - counter.error <= truth[counter.key] <= counter.weight
        assert counter.error * capacity <= truth.total()


@given(streams, st.integers(1, 8))
def test_all_weight_is_counted_once(stream: list[tuple[str, int]], capacity: int) -> None:
    sketch, truth = fed(stream, capacity)
    counters = sketch.counters()
    assert sum(counter.weight for counter in counters) == truth.total()
    assert len({counter.key for counter in counters}) == len(counters) == min(capacity, len(truth))
    assert [counter.weight for counter in counters] == sorted((one.weight for one in counters), reverse=True)


@given(streams, st.integers(1, 8))
def test_whoever_has_more_than_its_part_is_there(stream: list[tuple[str, int]], capacity: int) -> None:
    sketch, truth = fed(stream, capacity)
    found = {counter.key for counter in sketch.counters()}
    assert {key for key, weight in truth.items() if weight * capacity > truth.total()} <= found


@given(streams)
def test_with_room_for_all_every_count_is_exact(stream: list[tuple[str, int]]) -> None:
    sketch, truth = fed(stream, 12)
    times = Counter(key for key, _ in stream)
    assert {one.key: (one.weight, one.times, one.error) for one in sketch.counters()} == {
        key: (weight, times[key], 0) for key, weight in truth.items()
    }
