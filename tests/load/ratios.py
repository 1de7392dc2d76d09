"""Servers next to Roost: their figures, Roost's in the runs before and after, the ratios between them. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any, Final, Self

from tests.load.result import NOT_QUOTED

NOTHING: Final = "-"


@dataclass(frozen=True)
class Measure:
    """One figure that servers are compared by."""

    key: str
    title: str
    unit: str
    more_is_better: bool = True


@dataclass(frozen=True)
class Cell:
    """One server's figure."""

    value: float | None
    """None if it may not be quoted, or there is none."""
    roost: float | None
    """The mean of Roost's runs before and after it."""
    why_none: str = ""

    @property
    def ratio(self) -> float | None:
        """Roost's figure against the server's."""
        return self.roost / self.value if self.roost and self.value and self.value > 0 else None


@dataclass
class Row:
    """One server."""

    name: str
    version: str
    cells: dict[str, Cell] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    """Each begins with the key of the figure that it is about."""


@dataclass
class Comparison:
    """All servers that could be measured, and why the others could not."""

    measures: list[Measure]
    rows: list[Row] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)

    def row(self, name: str, version: str) -> Row:
        """The server's, made if there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        self.rows.append(Row(name, version))
        return self.rows[-1]

    def roost(self, key: str) -> float | None:
        """Roost's own figure: the median of its runs."""
        values = [row.cells[key].roost for row in self.rows if key in row.cells]
        known = [value for value in values if value is not None]
        return median(known) if known else None

    def best(self, key: str) -> float:
        """The greatest figure of all, Roost's included."""
        values = [row.cells[key].value for row in self.rows if key in row.cells]
        return max((value for value in [*values, self.roost(key)] if value is not None), default=0.0)

    def add(self, earlier: Self) -> None:
        """Keep what was measured earlier of what has not been measured now."""
        keys = {measure.key for measure in self.measures}
        self.measures = [measure for measure in earlier.measures if measure.key not in keys] + self.measures
        for old in earlier.rows:
            row = self.row(old.name, old.version)
            row.cells = {**old.cells, **row.cells}
            row.remarks = [*(each for each in old.remarks if each.partition(":")[0] not in keys), *row.remarks]
        measured = {row.name for row in self.rows}
        self.left_out = {
            name: why for name, why in {**earlier.left_out, **self.left_out}.items() if name not in measured
        }
        self.conditions = [
            *earlier.conditions,
            *(condition for condition in self.conditions if condition not in earlier.conditions),
        ]

    def arrange(self, names: Sequence[str], keys: Sequence[str]) -> None:
        """Servers and figures in this order."""
        self.rows.sort(key=lambda row: names.index(row.name))
        self.measures.sort(key=lambda measure: keys.index(measure.key))

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "measures": [vars(measure) for measure in self.measures],
            "servers": [
                {
                    "name": row.name,
                    "version": row.version,
                    "figures": {key: {**vars(cell), "ratio": cell.ratio} for key, cell in row.cells.items()},
                    "remarks": row.remarks,
                }
                for row in self.rows
            ],
            "left_out": self.left_out,
            "conditions": self.conditions,
        }

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """What `as_data` has made."""
        rows = [
            Row(
                told["name"],
                told["version"],
                {key: Cell(cell["value"], cell["roost"], cell["why_none"]) for key, cell in told["figures"].items()},
                told["remarks"],
            )
            for told in data["servers"]
        ]
        measures = [Measure(**told) for told in data["measures"]]
        return cls(measures, rows, data["left_out"], data["conditions"])


def neighbours(runs: list[float | None], at: int) -> float | None:
    """The mean of Roost's runs around the server that was measured after so many of them."""
    near = [run for run in runs[at - 1 : at + 1] if run is not None]
    return mean(near) if near else None


def markdown(comparison: Comparison) -> str:
    """A row for each server, a column for each figure, and what is to be known about them."""
    measures = comparison.measures
    head = ["server", *(f"{measure.title}, {measure.unit}" for measure in measures)]
    own = ["**Roost**", *(f"**{_number(comparison.roost(measure.key))}**" for measure in measures)]
    rows = [
        [f"{row.name} {row.version}".rstrip(), *(_shown(row.cells.get(each.key)) for each in measures)]
        for row in comparison.rows
    ]
    lines = [head, ["---"] * len(head), own, *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([table, "", *_remarks(comparison)])


def _remarks(comparison: Comparison) -> Iterator[str]:
    costs = ", ".join(measure.title for measure in comparison.measures if not measure.more_is_better)
    less = f" Less is better: {costs}." if costs else ""
    yield f"In brackets: Roost's figure, in the runs before and after, divided by the server's.{less}"
    yield from comparison.conditions
    for row in comparison.rows:
        for remark in [*row.remarks, *(cell.why_none for cell in row.cells.values() if cell.why_none)]:
            yield f"- {row.name}: {remark}"
    for name, why in comparison.left_out.items():
        yield f"- {name} was left out: {why}"


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return NOTHING
    if cell.value is None:
        return NOT_QUOTED if cell.why_none else NOTHING
    return _number(cell.value) + (f" ({cell.ratio:.2f})" if cell.ratio is not None else "")


def _number(value: float | None) -> str:
    if value is None:
        return NOTHING
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
