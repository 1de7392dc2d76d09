"""Values are counted in the range that they belong to."""

from hypothesis import given
from hypothesis import strategies as st

from roost.shared.histogram import Histogram

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
