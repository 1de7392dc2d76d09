"""How commands print: tables, numbers, and names that clients chose, which may not steer the terminal."""

import sys
import time
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.table import Table

WORDS: Final = frozenset(
    (
        *("address", "assigns", "channel", "class", "event", "from", "id", "lane", "meaning", "node", "path"),
        *("pattern", "says", "setting", "shard", "since", "socket", "state", "topic", "transport", "value"),
        *("version", "what", "worker"),
    )
)
"""Columns that stand at the left; numbers stand at the right."""
PIPE_WIDTH: Final = 1000
"""Characters; tables take what they need of them."""


def print_json(answer: Any) -> None:
    """The whole answer, for programs."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n")


def console() -> Console:
    """Where commands print: text as it is, whoever wrote it. A pipe has no width to keep to."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(width=width, markup=False, emoji=False, highlight=False)


def short(class_name: str) -> str:
    """A class without its module."""
    return class_name.rpartition(".")[2]


def table(*columns: str) -> Table:
    """A table without lines."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="left" if column in WORDS else "right", overflow="fold")
    return made


def visible(text: str | None) -> str:
    """A name that a client chose: nothing in it may steer the terminal."""
    if text is None:
        return "-"
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def number(value: int) -> str:
    return f"{value:,}"


def rate(value: float) -> str:
    """So many a second: a small number is told with its tenths."""
    return f"{value:,.0f}" if value >= 10 or not value else f"{value:.1f}"


def size(value: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    hours, rest = divmod(max(0, int(seconds)), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def moment(unix: float | None) -> str:
    """A time of today by the clock on the wall, an earlier one with its date."""
    if unix is None:
        return "-"
    then = time.localtime(unix)
    today = time.localtime()[:3] == then[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", then)


def print_silent(console: Console, silent: Iterable[str]) -> None:
    """Who did not answer: what is shown is without them."""
    for name in silent:
        console.print(f"{name} did not answer", style="red")


def print_left_out(console: Console, shown: int, total: int) -> None:
    """How many rows were left out."""
    if total > shown:
        console.print(f"... and {total - shown:,} more (--limit)")
