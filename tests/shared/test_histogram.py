"""Values are counted in the range that they belong to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.histogram import Histogram, Measured, between, quantile, together

values = st.floats(0, 100)


@given(st.sets(values, min_size=1, max_size=8), st.lists(values))
def test_every_value_counts_once_and_in_the_lowest_range_that_holds_it(bounds: set[float], seen: list[float]) -> None:
    histogram = Histogram(sorted(bounds))
    for value in seen:
        histogram.observe(value)
    measured = histogram.measured()
    assert sum(measured.counts) == len(seen)
    assert measured.total == sum(seen)
    for at, bound in enumerate(measured.bounds):
        assert sum(measured.counts[: at + 1]) == sum(value <= bound for value in seen)


def test_what_was_measured_stays_as_it_was() -> None:
    histogram = Histogram([1.0])
    before = histogram.measured()
    histogram.observe(0.5)
    assert before.counts == (0, 0)
    assert histogram.measured().counts == (1, 0)


def measured(bounds: list[float], seen: list[float]) -> Measured:
    histogram = Histogram(bounds)
    for value in seen:
        histogram.observe(value)
    return histogram.measured()


bounds_of = st.sets(st.floats(0.001, 100), min_size=1, max_size=8).map(sorted)


@given(bounds_of, st.lists(values), st.lists(values))
def test_between_two_times_stands_what_came_then(bounds: list[float], first: list[float], then: list[float]) -> None:
    found = between(measured(bounds, first), measured(bounds, first + then))
    assert found.counts == measured(bounds, then).counts
    assert found.total == pytest.approx(sum(then), abs=1e-6)


@given(bounds_of, st.lists(st.lists(values), min_size=1, max_size=4))
def test_histograms_together_are_that_of_all_values(bounds: list[float], seen: list[list[float]]) -> None:
    found = together([measured(bounds, one) for one in seen])
    assert found.counts == measured(bounds, [value for one in seen for value in one]).counts


@given(bounds_of, st.lists(values, min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_in_the_range_of_its_value(bounds: list[float], seen: list[float], part: float) -> None:
    found = quantile(measured(bounds, seen), part)
    assert found is not None
    # As nearest-rank has it: the lowest value that so many do not exceed.
    truth = next(value for at, value in enumerate(sorted(seen), 1) if at >= part * len(seen))
    below = max((bound for bound in bounds if bound < truth), default=0.0)
    above = min((bound for bound in bounds if bound >= truth), default=below)
    assert below <= found <= above * (1 + 1e-12)


@given(bounds_of)
def test_of_nothing_there_is_no_quantile(bounds: list[float]) -> None:
    assert quantile(measured(bounds, []), 0.5) is None


def test_of_what_is_above_all_bounds_the_highest_is_known() -> None:
    assert quantile(Measured((1.0, 2.0), (0, 0, 3), 9.0), 0.5) == 2.0
    assert quantile(Measured((1.0, 2.0), (2, 0, 0), 1.0), 0.5) == pytest.approx(0.5)
