"""The table of the README: the usual work, one line each, as Markdown."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final, NamedTuple

from tests.load.machine import cores
from tests.load.plan import Crowding, Work
from tests.load.result import NOT_QUOTED, Report
from tests.load.scenarios import Setup, drive, join

PACED_SECONDS: Final = 10.0
"""The longer, the less the edges of the measured time count where there are only 50 messages a second."""
_COLUMNS: Final = (
    "work",
    "Roost",
    "floor",
    "ratio",
    "CPU, us",
    "floor's",
    "ratio",
    "p50, ms",
    "p99, ms",
    "floor's",
)


class Line(NamedTuple):
    """One line of the table: what is done, and which figures tell of it."""

    work: str
    measure: Callable[[Setup, float], Report]
    speed: str = "deliveries_per_second"
    unit: str = "/s"
    cpu: str = "cpu_a_delivery"
    latency: str = "latency"


@dataclass
class Measured:
    """A line with its reports, one a round."""

    line: Line
    reports: list[Report]

    def value(self, server: int, key: str) -> float | None:
        """The median of the rounds; None if one of them could not be quoted."""
        values = [report.results[server].value(key) for report in self.reports if server < len(report.results)]
        return median([value for value in values if value is not None]) if values and None not in values else None

    def ratio(self, key: str) -> float | None:
        """The median of the rounds' ratios: servers are compared within a round, when the machine was the same."""
        ratios = [report.ratio(key) for report in self.reports]
        return median([ratio for ratio in ratios if ratio is not None]) if None not in ratios else None


def lines(clients: int) -> tuple[Line, ...]:
    """The set; memory and joins have so many clients."""

    def fanout(window: int) -> Callable[[Setup, float], Report]:
        return lambda setup, seconds: drive(setup, Crowding(1, 1000), Work("fanout", window=window, seconds=seconds))

    def paced(setup: Setup, seconds: float) -> Report:
        return drive(setup, Crowding(1, 1000), Work("paced", rate=50, seconds=max(seconds, PACED_SECONDS)))

    def rooms(setup: Setup, seconds: float) -> Report:
        return drive(setup, Crowding(500, 2), Work("rooms", window=1, seconds=seconds))

    def echo(setup: Setup, seconds: float) -> Report:
        return drive(setup, Crowding(200, 1), Work("echo", event="ping", window=1, seconds=seconds))

    def joins(setup: Setup, _seconds: float) -> Report:
        return join(setup, Crowding(1, clients), storm=False)

    return (
        Line("1 room x 1,000, 32 in flight", fanout(32)),
        Line("1 room x 1,000, 1 in flight", fanout(1)),
        Line("1 room x 1,000, paced 50/s", paced),
        Line("500 rooms x 2", rooms),
        Line("echo, 200 in flight", echo),
        Line(f"joins, {clients:,}", joins, "joins_per_second", "/s", "cpu_a_join", "join_latency"),
    )


def measure(setup: Setup, seconds: float, rounds: int, clients: int) -> Iterator[Measured]:
    """Each line as it is done."""
    for line in lines(clients):
        yield Measured(line, [line.measure(setup, seconds) for _ in range(rounds)])


def markdown(table: list[Measured], rounds: int) -> str:
    """The table, and what is to be known about it."""
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *map(_row, table), _memory_row(table[-1])]
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{text}\n\n{' '.join(_remarks(table, rounds))}"


def _row(measured: Measured) -> tuple[str, ...]:
    line = measured.line
    p50, p99 = f"{line.latency}_p50", f"{line.latency}_p99"
    return (
        line.work,
        _shown(measured, 0, line.speed, line.unit),
        _shown(measured, 1, line.speed, line.unit),
        _ratio(measured, line.speed),
        _shown(measured, 0, line.cpu),
        _shown(measured, 1, line.cpu),
        _ratio(measured, line.cpu),
        _shown(measured, 0, p50),
        _shown(measured, 0, p99),
        _shown(measured, 1, p99),
    )


def _memory_row(joined: Measured) -> tuple[str, ...]:
    work = joined.line.work.replace("joins", "memory a client")
    return (work, _shown(joined, 0, "memory_a_client", " kB"), *[""] * (len(_COLUMNS) - 2))


def _shown(measured: Measured, server: int, key: str, unit: str = "") -> str:
    if all(server >= len(report.results) for report in measured.reports):
        return ""
    value = measured.value(server, key)
    if value is None:
        return NOT_QUOTED
    return f"{value:,.0f}{unit}" if value >= 100 else f"{value:.2f}{unit}"


def _ratio(measured: Measured, key: str) -> str:
    ratio = measured.ratio(key)
    return "" if ratio is None else f"{ratio:.2f}"


def _remarks(table: list[Measured], rounds: int) -> Iterator[str]:
    results = [result for measured in table for report in measured.reports for result in report.results]
    yield f"{cores()} cores, generator included; `floor` is a bare loop that only writes."
    if rounds > 1:
        yield f"Medians of {rounds} rounds."
    lost = sum(result.value("lost") or 0 for result in results)
    duplicated = sum(result.value("duplicated") or 0 for result in results)
    yield f"Lost: {lost:,.0f}; duplicated: {duplicated:,.0f}."
    yield f"Other programs used up to {max(result.other_load for result in results):.1f} cores meanwhile."
    for fault in (fault for result in results for fault in result.faults):
        yield f"**{fault}**"
