"""What `roost verify` shows: a line that moves while it runs, and the findings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from roost.commands.verify import Findings

SHOWN: Final = 10
"""Faults that are shown in words; `--json` has more."""


@contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[Findings], None]]:
    """Show on a terminal how it goes; answers who is to be told."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _: None
        return
    with Live(Text("connecting"), console=console, transient=True) as live:
        yield lambda findings: live.update(Text(_progress(findings)))


def print_findings(findings: Findings) -> None:
    """The verdict, then what it rests on."""
    console = Console()
    for text in findings.examples[:SHOWN]:
        console.print(escape(text), style="red")
    total = sum(findings.faults.values())
    if total > SHOWN:
        console.print(f"... and {total - SHOWN:,} more", style="red")
    if total:
        console.print(f"{total:,} faults: {_kinds(findings)}", style="bold red")
    elif findings.gone:
        console.print("nothing lost, nothing twice, nothing out of order while the node ran", style="bold yellow")
    else:
        console.print("nothing lost, nothing twice, nothing out of order", style="bold green")
    console.print(
        f"{findings.sent:,} messages, {findings.heard:,} deliveries to {findings.clients:,} clients "
        f"in {findings.seconds:.1f} s"
    )
    console.print(
        f"longest pause of a client {_milliseconds(findings.longest_pause)} "
        f"(of this checker itself {_milliseconds(findings.own_pause)})"
    )
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in findings.disconnected.items())
    console.print(
        f"disconnected {sum(findings.disconnected.values()):,}{f' ({reasons})' if reasons else ''}, "
        f"came back {findings.returned:,}"
    )


def _progress(findings: Findings) -> str:
    faults = _kinds(findings) or "no faults"
    return (
        f"{findings.seconds:5.1f} s  {findings.connected:,} of {findings.clients:,} clients  "
        f"{findings.sent:,} messages  {findings.heard:,} deliveries  "
        f"longest pause {_milliseconds(findings.longest_pause)}  {faults}"
    )


def _kinds(findings: Findings) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in findings.faults.items())


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
