"""The command line's root, and the options that its commands share."""

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from roost.commands.machine import this_machine
from roost.shared.config import Settings, all_settings, read_settings

cli: Final = typer.Typer(
    name="roost",
    help="Phoenix Channels for Python: run a node, look into it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
scale: Final = typer.Typer(help="Change a running node's number of processes.", no_args_is_help=True)
cli.add_typer(scale, name="scale")
config: Final = typer.Typer(help="Show all settings; check a file of them; read and change those of a running node.")
cli.add_typer(config, name="config")
_SETTINGS: Final = all_settings()

NodeName = Annotated[
    str | None, typer.Option("--node", help="Ask this other node of the cluster, or all.", metavar="NAME|all")
]
OneNode = Annotated[str | None, typer.Option("--node", help="Another node of the cluster.", metavar="NAME")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def setting(name: str) -> Any:
    """The option for a setting; its environment variable has the same name."""
    one = _SETTINGS[name]
    meaning = f"{one.meaning[0].upper()}{one.meaning[1:]}. [{one.variable}]"
    return typer.Option(None, f"--{name.replace('_', '-')}", help=meaning, show_default=False)


def takes_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each of these settings; it is called with all settings as `chosen`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in inspect.signature(command).parameters.values() if one.name != "chosen"]

        def run(**arguments: Any) -> None:
            given = {name: arguments.pop(name) for name in names}
            command(**arguments, chosen=settings(**given))

        options = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=setting(name), annotation=str | None)
            for name in names
        ]
        parameters = [*(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own), *options]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        run.__name__ = command.__name__
        run.__doc__ = command.__doc__
        return run

    return decorate


def settings(**options: str | None) -> Settings:
    """Settings from options, then the environment, then defaults. Raises BadSetting."""
    given = {_SETTINGS[name].variable: text for name, text in options.items() if text is not None}
    return read_settings(this_machine(), given, os.environ)
