"""Live progress on the terminal while a load test runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

REFRESHES: Final = 4
"""A second: the display takes its share of the cores that it watches."""

Show = Callable[[float, str], None]
"""How far it is, and what there is to say."""


class Display:
    """One bar for each phase; gone when the phase is over."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)

    @contextmanager
    def phase(self, title: str, total: float) -> Iterator[Show]:
        """Show a phase until it is over."""
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            refresh_per_second=REFRESHES,
        ) as progress:
            task = progress.add_task(title, total=total, note="")

            def show(completed: float, note: str) -> None:
                progress.update(task, completed=completed, note=note)

            yield show
