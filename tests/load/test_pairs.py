"""Intervals of the median: what they hold, and what they say of two kinds of runs."""

from random import Random

import pytest

from tests.load.pairs import Spread, spread


@pytest.mark.parametrize(
    ("count", "low", "high"), [(1, 0, 0), (2, 0, 1), (5, 0, 4), (6, 0, 5), (8, 0, 7), (9, 1, 7), (12, 2, 9)]
)
def test_ranks_make_the_interval(count: int, low: int, high: int) -> None:
    values = [float(value) for value in range(count)]
    assert spread(values[::-1]) == Spread((count - 1) / 2, low, high)


@pytest.mark.parametrize("count", [6, 9, 12, 20])
def test_the_true_median_is_within_in_nineteen_of_twenty_cases(count: int) -> None:
    random = Random(count)
    runs = [spread([random.expovariate(1.0) for _ in range(count)]) for _ in range(2000)]
    within = sum(run.low <= 0.6931 <= run.high for run in runs)
    assert within >= 0.94 * 2000


def test_two_overlap_if_both_may_have_measured_the_same() -> None:
    assert Spread(2, 1, 3).overlaps(Spread(4, 3, 5))
    assert not Spread(2, 1, 3).overlaps(Spread(5, 4, 6))
    assert not Spread(5, 4, 6).overlaps(Spread(2, 1, 3))
    assert Spread(5, 1, 9).overlaps(Spread(5, 4, 6))
