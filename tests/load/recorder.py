"""What is written down while messages fly: latencies, in slices of the measured time. Pure."""

from tests.load.histogram import Histogram
from tests.load.orders import Driven, Slice


class Recorder:
    """Latencies of the time since `begin`; what came before, in the warm-up, is forgotten."""

    def __init__(self) -> None:
        self.latency = Histogram()
        """Of the slice under way."""
        self.last = Histogram()
        self.spread = Histogram()
        self._slices: list[Slice] = []
        self._began = 0
        self._cut = 0
        self._deliveries = (0, 0)
        """At the beginning, and at the last cut."""

    def begin(self, now: int, deliveries: int) -> None:
        """The warm-up is over."""
        self.latency, self.last, self.spread = Histogram(), Histogram(), Histogram()
        self._slices = []
        self._began = self._cut = now
        self._deliveries = (deliveries, deliveries)

    def cut(self, now: int, deliveries: int) -> None:
        """A slice is over."""
        first, before = self._deliveries
        self._slices.append(
            Slice((now - self._began) / 1e9, (now - self._cut) / 1e9, deliveries - before, self.latency)
        )
        self.latency = Histogram()
        self._cut = now
        self._deliveries = (first, deliveries)

    def end(self) -> Driven:
        """All slices together; what comes later is not recorded there."""
        first, last = self._deliveries
        outcome = Driven(
            messages=self.last.count,
            deliveries=last - first,
            seconds=(self._cut - self._began) / 1e9,
            last=self.last,
            spread=self.spread,
            slices=self._slices,
        )
        for piece in self._slices:
            outcome.latency.add(piece.latency)
        self.begin(self._cut, last)
        return outcome
