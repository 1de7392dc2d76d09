"""A report for people: a table on the terminal."""

from itertools import groupby

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tests.load.result import NOT_QUOTED, Figure, Report, Result


def show(report: Report, console: Console) -> None:
    """Figures as rows, servers as columns, and what is to be known about them."""
    compared = len(report.results) > 1
    given = ", ".join(f"{name} {value}" for name, value in report.settings.items() if value is not None)
    console.print(f"{report.title}: {given}", highlight=False, markup=False)
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column("")
    for result in report.results:
        table.add_column(result.server, justify="right")
    if compared:
        table.add_column("ratio", justify="right")
    for _, group in groupby(enumerate(report.results[0].figures), _line):
        figures = [figure for _, figure in group]
        cells = [_label(figures), *(_cell(result, figures) for result in report.results)]
        table.add_row(*cells, *([_ratio(report, figures[0])] if compared else []))
    console.print(table)
    for result in report.results:
        for note in result.notes:
            console.print(f"{result.server}: {note}", highlight=False, markup=False)
        for fault in result.faults:
            console.print(f"{result.server}: {fault}", style="red", highlight=False, markup=False)


def _line(numbered: tuple[int, Figure]) -> object:
    """Figures of a group stay together; one that has no group stands alone."""
    number, figure = numbered
    return figure.group or number


def _label(figures: list[Figure]) -> str:
    first = figures[0]
    unit = f", {first.unit.value}" if first.unit.value else ""
    parts = f" ({' '.join(figure.label for figure in figures)})" if first.group else ""
    return f"{first.group or first.label}{unit}{parts}"


def _cell(result: Result, wanted: list[Figure]) -> str:
    keys = [figure.key for figure in wanted]
    figures = [figure for figure in result.figures if figure.key in keys]
    if any(figure.value is None for figure in figures):
        return NOT_QUOTED
    return " ".join(figure.number() for figure in figures)


def _ratio(report: Report, figure: Figure) -> str:
    ratio = report.ratio(figure.key) if figure.compared else None
    return "" if ratio is None else f"{ratio:.2f}"
