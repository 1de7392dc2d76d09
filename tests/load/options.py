"""The options that all scenarios have: what is driven, from where, and where to write what was found."""

import inspect
import json as json_format
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tests.load.display import Display
from tests.load.plot import svg
from tests.load.result import Report
from tests.load.scenarios import Setup
from tests.load.show import show


def scenario(measure: Callable[..., Report]) -> Callable[..., None]:
    """A command that measures with its own options, and has those of `_common` besides.

    Its first parameter is the setup that they make.
    """
    own = list(inspect.signature(measure).parameters.values())[1:]
    common = list(inspect.signature(_common).parameters.values())[1:]

    @wraps(measure)
    def command(**options: Any) -> None:
        mine = {parameter.name: options.pop(parameter.name) for parameter in own}
        _common(lambda setup: measure(setup, **mine), **options)

    command.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *common]}
    return command


def _common(
    measure: Callable[[Setup], Report],
    url: Annotated[str | None, typer.Option(help="Drive the server at this ws:// address, not a node of ours.")] = None,
    run_dir: Annotated[str | None, typer.Option(help="Its run directory, to tell its CPU and memory.")] = None,
    shards: Annotated[int | None, typer.Option(min=1, help="Shards of the node.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers of the node.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=64, help="Generator processes.")] = None,
    floor: Annotated[bool, typer.Option("--floor/--no-floor", help="Measure the bare loop, too.")] = True,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a picture to this file, as SVG.")] = None,
) -> None:
    """Measure, show, write. Exits with 1 if there was a fault."""
    report = measure(Setup(Display(), url, run_dir, shards, workers, processes, floor))
    show(report, Console())
    if json:
        json.write_text(json_format.dumps(report.as_data(), indent=2) + "\n")
    if plot:
        plot.write_text(svg(report))
    if not report.faultless():
        raise typer.Exit(1)
