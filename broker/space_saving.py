"""The heaviest keys of a stream, in a fixed number of counters: the Space-Saving sketch. Pure.

Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams (2005). What is
counted for a key is never too little, and too much by `error` at most, which is never more than the total by the number
of counters. So a key with a larger share of the total than that is always among them.
"""

from heapq import heappush, heapreplace
from operator import attrgetter


class Counter:
    """What is counted for one key."""

    __slots__ = ("error", "key", "noted", "times", "weight")

    def __init__(self, key: str, weight: int, times: float, error: int) -> None:
        self.key = key
        self.weight = weight
        """Its weight and, at most, `error` more."""
        self.error = error
        self.times = times
        """How often it came since the counter is its own."""
        self.noted = weight
        """The weight by which the heap knows it: the one that it had then."""

    def __lt__(self, other: "Counter") -> bool:
        return self.noted < other.noted


class SpaceSaving:
    """Counts keys by weight; a new one takes the counter of the lightest."""

    __slots__ = ("_capacity", "_counters", "_heap")

    def __init__(self, capacity: int) -> None:
        """`capacity` is the number of counters, at least 1."""
        self._capacity = capacity
        self._counters: dict[str, Counter] = {}
        self._heap: list[Counter] = []

    def add(self, key: str, weight: int, times: float = 1.0) -> None:
        """A key came, so often and with so much weight in all. Amortised logarithmic in the capacity."""
        counter = self._counters.get(key)
        if counter is not None:
            counter.weight += weight
            counter.times += times
        elif len(self._heap) < self._capacity:
            counter = self._counters[key] = Counter(key, weight, times, 0)
            heappush(self._heap, counter)
        else:
            lightest = self._lightest()
            del self._counters[lightest.key]
            counter = self._counters[key] = Counter(key, lightest.weight + weight, times, lightest.weight)
            heapreplace(self._heap, counter)

    def counters(self) -> list[Counter]:
        """All counters, the heaviest first."""
        return sorted(self._heap, key=attrgetter("weight"), reverse=True)

    def _lightest(self) -> Counter:
        """Weights only grow, so the first whose weight is what the heap knows is the lightest."""
        heap = self._heap
        while (first := heap[0]).noted != first.weight:
            first.noted = first.weight
            heapreplace(heap, first)
        return first
