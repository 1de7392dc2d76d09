"""The commands that write files to begin with."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from roost.commands.options import cli
from roost.shared.config import BadSetting

if TYPE_CHECKING:
    from roost.new.generation import Generation

new: Final = typer.Typer(help="Write files to begin with: an application, a channel, a socket, a presence.")
cli.add_typer(new, name="new", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Small letters, digits and underscores, such as order_lines.")]
Package = Annotated[str | None, typer.Option(help="The application's package, if there is more than one here.")]


@new.command("app")
def new_app(name: Name) -> None:
    """An application with a socket, a channel and its test, in a directory of its name."""
    from roost.new import generation

    _write(Path.cwd() / name, lambda: generation.new_app(name))


@new.command("channel")
def new_channel(
    name: Name,
    socket: Annotated[str, typer.Option(help="The socket whose topics it serves.")] = "user",
    package: Package = None,
) -> None:
    """A channel for topics NAME:*, with its test."""
    from roost.new import generation

    _write(Path.cwd(), lambda: generation.new_channel(_package(package), name, socket))


@new.command("socket")
def new_socket(name: Name, package: Package = None) -> None:
    """A socket, with its test."""
    from roost.new import generation

    _write(Path.cwd(), lambda: generation.new_socket(_package(package), name))


@new.command("presence")
def new_presence(name: Name, package: Package = None) -> None:
    """A presence, with its test."""
    from roost.new import generation

    _write(Path.cwd(), lambda: generation.new_presence(_package(package), name))


def _package(given: str | None) -> str:
    from roost.new.writing import package_here

    return given or package_here(Path.cwd())


def _write(directory: Path, generate: "Callable[[], Generation]") -> None:
    from roost.new.generation import BadName
    from roost.new.writing import write

    try:
        generation = generate()
    except BadName as error:
        raise BadSetting(str(error)) from None
    for path in write(directory, generation):
        typer.echo(f"made {path.relative_to(Path.cwd())}")
    typer.echo("\nthen:")
    for line in generation.then:
        typer.echo(f"    {line}")
