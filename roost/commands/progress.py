"""How commands that take a while show how far they are."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console

LINE_PERIOD: Final = 1.0
"""Seconds between two lines where there is no terminal."""


class Progress:
    """One line that changes, on a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._next_line = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def show(self, text: str) -> None:
        """Say how far it is."""
        if self._console.is_terminal:
            self._status.update(text)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_PERIOD
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)
