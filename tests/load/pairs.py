"""Two kinds of runs that took turns: what is the same about them, and how sure that is. Pure."""

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95


class Spread(NamedTuple):
    """Several measurements of one thing."""

    median: float
    low: float
    high: float

    def overlaps(self, other: "Spread") -> bool:
        """Whether both may have measured the same."""
        return self.low <= other.high and other.low <= self.high


def spread(values: Sequence[float]) -> Spread:
    """The median and the interval that holds the true one with 95 %, however the values are distributed.

    Each value is as likely below the true median as above it, so ranks make the interval; of fewer than six values,
    which are too few for that, it is the lowest to the highest.
    """
    ordered = sorted(values)
    count = len(ordered)
    missed = (1 - CONFIDENCE) * 2**count
    inner = (rank for rank in range(count // 2) if 2 * sum(comb(count, below) for below in range(rank + 1)) <= missed)
    rank = max(inner, default=0)
    return Spread(median(ordered), ordered[rank], ordered[-1 - rank])
