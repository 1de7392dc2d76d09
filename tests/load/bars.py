"""A comparison as an SVG: for each kind of work a bar for each server, Roost's first. Pure."""

from html import escape
from typing import Final

from tests.load.ratios import Comparison, Measure

WIDTH: Final = 720
LEFT: Final = 190
RIGHT: Final = 130
BAR: Final = 18
GAP: Final = 6
HEAD: Final = 34
OURS: Final = "#2463eb"
THEIRS: Final = "#9aa3af"


def svg(comparison: Comparison) -> str:
    """One chart below the other."""
    parts: list[str] = []
    top = GAP
    for measure in comparison.measures:
        bars = _bars(comparison, measure)
        parts.append(_text(LEFT, top + 22, _title(measure), "start", "bold"))
        for number, bar in enumerate(bars):
            parts += _draw(bar, comparison.best(measure.key), top + HEAD + number * (BAR + GAP))
        top += HEAD + len(bars) * (BAR + GAP) + GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f'<rect width="{WIDTH}" height="{top}" fill="white"/>', *parts, "</svg>", ""])


Bar = tuple[str, float | None, str, str]
"""Who, how much, what is said about it, in which colour."""


def _bars(comparison: Comparison, measure: Measure) -> list[Bar]:
    ours = comparison.roost(measure.key)
    bars: list[Bar] = [("Roost", ours, _number(ours), OURS)]
    for row in comparison.rows:
        if (cell := row.cells.get(measure.key)) is not None:
            ratio = "" if cell.ratio is None else f" (Roost {cell.ratio:.2f})"
            bars.append((row.name, cell.value, _number(cell.value) + ratio, THEIRS))
    return bars


def _draw(bar: Bar, best: float, top: int) -> list[str]:
    name, value, said, colour = bar
    width = max(value or 0.0, 0.0) / best * (WIDTH - LEFT - RIGHT) if best else 0.0
    return [
        _text(LEFT - 8, top + 13, name, "end"),
        f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>',
        _text(LEFT + width + 6, top + 13, said, "start"),
    ]


def _title(measure: Measure) -> str:
    return f"{measure.title}, {measure.unit}{'' if measure.more_is_better else ' (less is better)'}"


def _number(value: float | None) -> str:
    if value is None:
        return "not quoted"
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _text(x: float, y: float, text: str, anchor: str, weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="#111827" font-weight="{weight}">{escape(text)}</text>'
