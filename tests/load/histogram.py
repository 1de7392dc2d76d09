"""Latencies counted in buckets of two per cent, so that an hour of them fits into a few kB. Pure."""

from typing import Final, Self

_PRECISION_BITS: Final = 7
_PER_DOUBLING: Final = 1 << (_PRECISION_BITS - 1)
_BUCKETS: Final = _PER_DOUBLING * (64 - _PRECISION_BITS + 2)


class Histogram:
    """Counts of nanoseconds; each doubling has as many buckets, as in HdrHistogram."""

    __slots__ = ("_counts", "count", "max")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.max = 0

    def record(self, nanoseconds: int) -> None:
        shift = max(nanoseconds.bit_length() - _PRECISION_BITS, 0)
        self._counts[shift * _PER_DOUBLING + (nanoseconds >> shift)] += 1
        self.count += 1
        if nanoseconds > self.max:
            self.max = nanoseconds

    def add(self, other: Self) -> None:
        """Count all that another one has counted."""
        self._counts = [mine + its for mine, its in zip(self._counts, other._counts, strict=True)]
        self.count += other.count
        self.max = max(self.max, other.max)

    def percentile(self, percent: float) -> int:
        """Nanoseconds that so many per cent did not exceed, rounded up within the bucket; 0 of nothing."""
        rank = max(1, -(-self.count * percent // 100))
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if seen >= rank:
                return min(_upper_end(bucket), self.max)
        return self.max


def _upper_end(bucket: int) -> int:
    shift = max(bucket // _PER_DOUBLING - 1, 0)
    return ((bucket - shift * _PER_DOUBLING + 1) << shift) - 1
