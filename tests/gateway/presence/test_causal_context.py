"""Which dots are known."""

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.presence.causal_context import CausalContext


@given(st.lists(st.lists(st.integers(1, 12), max_size=4), max_size=8))
def test_whatever_the_order_the_same_dots_are_known(batches: list[list[int]]) -> None:
    context = CausalContext()
    for batch in batches:
        context.add("a", batch)
    known = {number for batch in batches for number in batch}
    assert {number for number in range(1, 13) if context.covers("a", number)} == known


@given(st.sets(st.integers(1, 12)), st.integers(0, 12))
def test_what_is_without_a_hole_is_a_clock_and_the_rest_a_cloud(numbers: set[int], clock: int) -> None:
    context = CausalContext()
    context.add("a", numbers)
    context.raise_to("a", clock)
    known = numbers | set(range(1, clock + 1))
    assert {number for number in range(1, 13) if context.covers("a", number)} == known
    reached = context.clock.get("a", 0)
    assert reached + 1 not in known
    assert context.clouds.get("a", set()) == {number for number in known if number > reached}


def test_what_is_forgotten_is_not_known() -> None:
    context = CausalContext({"a": 3, "b": 1})
    context.add("a", [7])
    context.forget("a")
    assert not any(context.covers("a", number) for number in (1, 3, 7))
    assert context.covers("b", 1)
