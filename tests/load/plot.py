"""A report as an SVG: latency percentiles, throughput over time, memory; whichever it has. Pure."""

from collections.abc import Callable, Sequence
from html import escape
from math import floor, log10
from typing import Final, NamedTuple

from tests.load.result import Report, Result

WIDTH: Final = 720
PANEL: Final = 260
LEFT: Final = 80
RIGHT: Final = 20
TOP: Final = 36
BOTTOM: Final = 44
COLOURS: Final = ("#2463eb", "#9aa3af", "#d9480f")
FONT: Final = 'font-family="sans-serif" font-size="12"'
_PERCENTS: Final = (0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99)


class Line(NamedTuple):
    """One curve."""

    name: str
    points: Sequence[tuple[float, float]]


class Panel(NamedTuple):
    """One diagram."""

    title: str
    across: str
    up: str
    lines: Sequence[Line]
    tick: Callable[[float], str]
    """How the horizontal axis names a place."""
    marks: Sequence[float] | None = None
    """Where it does; evenly if not given."""


def svg(report: Report) -> str:
    """The whole picture."""
    panels = [panel for panel in (_latency(report), _throughput(report), _memory(report)) if panel.lines]
    height = TOP + len(panels) * PANEL
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(LEFT, 22, report.title, "start", weight="bold"),
    ]
    for number, panel in enumerate(panels):
        parts += _draw(panel, TOP + number * PANEL)
    return "\n".join([*parts, "</svg>", ""])


def _latency(report: Report) -> Panel:
    """Across: each nine is as wide as the one before, so that the tail can be seen."""
    lines = [
        Line(
            result.server,
            [(_nines(percent), result.latency.percentile(percent) / 1e6) for percent in _PERCENTS],
        )
        for result in report.results
        if result.latency.count
    ]
    marks = [_nines(percent) for percent in (0, 50, 90, 99, 99.9, 99.99)]
    return Panel("Latency", "percentile", "ms", lines, lambda nines: f"{100 - 100 / 10**nines:.6g}", marks)


def _throughput(report: Report) -> Panel:
    lines = [_line(result, [(point.at, point.per_second) for point in result.timeline]) for result in report.results]
    return Panel("Throughput", "seconds", "deliveries/s", [line for line in lines if len(line.points) > 1], _plain)


def _memory(report: Report) -> Panel:
    lines = [_line(result, result.memory) for result in report.results if len(result.memory) > 1]
    over = report.results[0].memory_over
    return Panel("Memory of shards and workers", over, "MB", lines, _plain)


def _line(result: Result, points: Sequence[tuple[float, float]]) -> Line:
    return Line(result.server, points)


def _nines(percent: float) -> float:
    return -log10(1 - percent / 100)


def _draw(panel: Panel, top: int) -> list[str]:
    points = [point for line in panel.lines for point in line.points]
    right = max(x for x, _ in points) or 1.0
    step = _step(max(y for _, y in points) or 1.0)
    highest = step * (int(max(y for _, y in points) / step) + 1)
    floor_y, ceiling_y = top + PANEL - BOTTOM, top + 24

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + x / right * (WIDTH - LEFT - RIGHT), floor_y - y / highest * (floor_y - ceiling_y)

    parts = [_text(LEFT, top + 14, f"{panel.title}, {panel.up}", "start")]
    for number in range(int(highest / step) + 1):
        _, y = place(0, number * step)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>')
        parts.append(_text(LEFT - 6, y + 4, _plain(number * step), "end"))
    marks = [mark for mark in panel.marks or [right * part / 5 for part in range(6)] if mark <= right]
    parts += [_text(place(mark, 0)[0], floor_y + 16, panel.tick(mark), "middle") for mark in marks]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, floor_y + 32, panel.across, "middle"))
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line.points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(WIDTH - RIGHT - 80 * number, top + 14, line.name, "end", colour))
    return parts


def _step(most: float) -> float:
    """Between lines of the grid: 1, 2 or 5 times a power of ten, four to nine of them."""
    power = 10.0 ** floor(log10(most))
    return (
        next(part * power for part in (0.2, 0.5, 1.0) if most / (part * power) <= 8) if most < 8 * power else power * 2
    )


def _plain(value: float) -> str:
    for limit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.4g}{letter}"
    return f"{value:.4g}"


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#111827", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
