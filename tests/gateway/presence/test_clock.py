"""Vector clocks: who knows more (upstream's cases CK-01 to CK-06)."""

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.presence.clock import dominates, only, undominated, upper_bound

CLOCKS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4))


def test_one_that_knows_all_of_another_dominates_it() -> None:
    assert dominates({"a": 1, "b": 2}, {"a": 1, "b": 1})
    assert dominates({"a": 1, "b": 2, "c": 1}, {"a": 1, "b": 2})
    assert dominates({}, {})
    assert not dominates({"a": 2, "b": 1}, {"a": 1, "b": 2})
    assert not dominates({"a": 1}, {"a": 1, "b": 1})


def test_only_undominated_clocks_are_kept() -> None:
    older, newer, other = {"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}
    assert undominated([("x", older), ("y", newer)]) == [("y", newer)]
    assert undominated([("y", newer), ("x", older)]) == [("y", newer)]
    assert undominated([("y", newer), ("z", other)]) == [("y", newer), ("z", other)]
    assert undominated([("y", newer), ("z", dict(newer))]) == [("y", newer)]


@given(CLOCKS, CLOCKS)
def test_an_upper_bound_dominates_both(one: dict[str, int], other: dict[str, int]) -> None:
    upper = upper_bound(one, other)
    assert all(dominates(upper, clock) for clock in (one, other))


@given(st.lists(CLOCKS, max_size=6))
def test_whoever_is_left_out_is_dominated_by_one_who_is_kept(clocks: list[dict[str, int]]) -> None:
    kept = undominated([(str(place), clock) for place, clock in enumerate(clocks)])
    assert all(any(dominates(winner, clock) for _, winner in kept) for clock in clocks)
    for name, clock in kept:
        assert not any(dominates(other, clock) for rival, other in kept if rival != name)


def test_a_clock_of_some_replicas_only() -> None:
    assert only({"a": 1, "b": 2}, {"b", "c"}) == {"b": 2}
