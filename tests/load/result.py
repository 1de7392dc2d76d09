"""What a load test has found out, as figures that can be shown, compared and kept. Pure."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from tests.load.histogram import Histogram

PERCENTILES: Final = (0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100)


NOT_QUOTED: Final = "not quoted"


class Unit(Enum):
    """How a figure reads."""

    PER_SECOND = "/s"
    MICROSECONDS = "us"
    MILLISECONDS = "ms"
    KILOBYTES = "kB"
    MEGABYTES = "MB"
    SECONDS = "s"
    PERCENT_OF_A_CORE = "% of a core"
    COUNT = ""


class Figure(NamedTuple):
    """One number with its name."""

    key: str
    """Its name in JSON."""
    label: str
    """Its name in the table."""
    value: float | None
    """None where it may not be quoted."""
    unit: Unit
    compared: bool = False
    """Whether the table shows its ratio to the floor's."""
    group: str = ""
    """Figures of a group share a line of the table."""

    def number(self) -> str:
        """As a table shows it, without the unit."""
        if self.value is None:
            return NOT_QUOTED
        if self.unit is Unit.COUNT or self.value >= 100:
            return f"{self.value:,.0f}"
        return f"{self.value:.1f}" if self.value >= 10 else f"{self.value:.2f}"


class Point(NamedTuple):
    """A slice of the measured time."""

    at: float
    per_second: float
    p50: float
    p99: float
    """Milliseconds."""


@dataclass
class Result:
    """One server under one load."""

    server: str
    figures: list[Figure] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What should not have happened: losses, duplicates, complaints in the server's log."""
    notes: list[str] = field(default_factory=list)
    latency: Histogram = field(default_factory=Histogram)
    timeline: list[Point] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """MB by what `memory_over` names."""
    memory_over: str = "clients"
    other_load: float = 0.0
    """Cores' worth of programs that have nothing to do with the test, when there was most of it."""

    def value(self, key: str) -> float | None:
        """A figure's number, if there is one that may be quoted."""
        return next((figure.value for figure in self.figures if figure.key == key), None)


@dataclass
class Report:
    """One scenario: the server's result first, then the floor's, if it was measured."""

    title: str
    settings: dict[str, Any]
    results: list[Result]

    def ratio(self, key: str) -> float | None:
        """The server's figure against the floor's."""
        values = [result.value(key) for result in self.results]
        if len(values) < 2 or values[0] is None or not values[1]:
            return None
        return values[0] / values[1]

    def faultless(self) -> bool:
        """Whether nothing happened that should not."""
        return not any(result.faults for result in self.results)

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {"title": self.title, "settings": self.settings, "results": [_data(result) for result in self.results]}


def _data(result: Result) -> dict[str, Any]:
    return {
        "server": result.server,
        "figures": {figure.key: figure.value for figure in result.figures},
        "units": {figure.key: figure.unit.value for figure in result.figures},
        "faults": result.faults,
        "notes": result.notes,
        "latency_ms": {str(percent): result.latency.percentile(percent) / 1e6 for percent in PERCENTILES}
        if result.latency.count
        else {},
        "timeline": [point._asdict() for point in result.timeline],
        "memory_mb": {"over": result.memory_over, "points": result.memory},
    }
