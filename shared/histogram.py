"""Counts how values are spread over fixed ranges. Pure."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Ranges for times, from half a millisecond to the limit of a stall."""
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
"""Ranges for how many messages go together."""


class Measured(msgspec.Struct, frozen=True):
    """A histogram as it stood when it was asked for."""

    bounds: tuple[float, ...]
    """The highest value of each range; one more range is above them all."""
    counts: tuple[int, ...]
    """How many values fell into each range, one more than there are bounds."""
    total: float
    """The sum of all values."""


class Histogram:
    """How many values fell into which range since it was made."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` is the highest value of each range, in order."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def measured(self) -> Measured:
        """The histogram as it stands now."""
        return Measured(self._bounds, tuple(self._counts), self._total)


def between(before: Measured, after: Measured) -> Measured:
    """What one histogram has counted from one time to another."""
    counts = tuple(new - old for old, new in zip(before.counts, after.counts, strict=True))
    return Measured(after.bounds, counts, after.total - before.total)


def together(histograms: Sequence[Measured]) -> Measured:
    """What histograms of the same ranges have counted together; at least one."""
    counts = tuple(map(sum, zip(*(one.counts for one in histograms), strict=True)))
    return Measured(histograms[0].bounds, counts, sum(one.total for one in histograms))


def quantile(measured: Measured, part: float) -> float | None:
    """The value that this part of all values does not exceed, as if they lay evenly in their range; None without any.

    Of the range above all bounds nothing is known but its lower end.
    """
    rank = part * sum(measured.counts)
    if not rank:
        return None
    low = below = 0.0
    for bound, count in zip(measured.bounds, measured.counts, strict=False):
        if count and below + count >= rank:
            return low + (bound - low) * (rank - below) / count
        low, below = bound, below + count
    return low
