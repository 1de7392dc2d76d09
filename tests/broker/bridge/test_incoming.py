"""Duplicates, gaps, and where counting begins."""

from hypothesis import given
from hypothesis import strategies as st

from roost.broker.bridge.incoming import Incoming, Verdict
from roost.broker.bridge.interests import Interests
from roost.shared.cluster import Interest
from roost.shared.crossing import pack_buckets


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 5)), min_size=1), st.integers(0, 40))
def test_what_is_new_and_what_is_lost_make_up_all(ranges: list[tuple[int, int]], last: int) -> None:
    incoming = Incoming()
    incoming.beat(3, 0)
    new, lost = set[int](), 0
    for first, count in ranges:
        verdict = incoming.publishes(3, first, count)
        fresh = range(first + verdict.known, first + count)
        assert not new.intersection(fresh)
        assert not new or not fresh or fresh[0] > max(new)
        new.update(fresh)
        lost += verdict.lost
    lost += incoming.beat(3, last).lost
    assert len(new) + lost == max(last, *new)


def test_counting_begins_with_the_first_that_is_heard() -> None:
    incoming = Incoming()
    assert incoming.publishes(1, 10, 2) == Verdict(0, 0)
    assert incoming.publishes(1, 13, 1) == Verdict(0, 1)
    assert incoming.beat(2, 10) == Verdict(0, 0)
    assert incoming.publishes(2, 12, 1) == Verdict(0, 1)


def test_a_bucket_that_is_not_listened_to_is_not_missed() -> None:
    incoming = Incoming()
    incoming.publishes(1, 10, 1)
    incoming.forget(1)
    assert incoming.publishes(1, 20, 1) == Verdict(0, 0)


def test_a_connection_that_goes_before_anything_came_leaves_a_gap_that_nobody_can_count() -> None:
    incoming = Incoming()
    incoming.told({1: 5, 2: 5})
    for bucket in (1, 2, 3, 4):
        incoming.interrupted(bucket)
    incoming.told({1: 9, 2: 9, 3: 9, 4: 9})
    incoming.interrupted(2)
    assert incoming.publishes(1, 6, 1) == Verdict(0, 0, uncertain=False)
    assert incoming.publishes(2, 7, 1) == Verdict(0, 0, uncertain=True)
    assert incoming.beat(3, 1) == Verdict(0, 0, uncertain=True)
    assert incoming.beat(4, 0) == Verdict(0, 0, uncertain=False)
    assert incoming.publishes(2, 8, 1) == Verdict(0, 0)


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.none() | st.frozensets(st.integers(0, 1023), max_size=4))
    )
)
def test_a_node_listens_to_what_any_worker_wants(told: list[tuple[int, int, frozenset[int] | None]]) -> None:
    interests = Interests()
    last: dict[int, tuple[int, frozenset[int]]] = {}
    for worker, version, buckets in told:
        if buckets is None:
            interests.exited(worker)
            last.pop(worker, None)
            continue
        interests.tell(Interest(worker, version, pack_buckets(buckets)))
        if version >= last.get(worker, (0, frozenset()))[0]:
            last[worker] = version, buckets
    assert interests.wanted == frozenset[int]().union(*(buckets for _, buckets in last.values()))
    assert interests.versions == {worker: version for worker, (version, _) in last.items()}
