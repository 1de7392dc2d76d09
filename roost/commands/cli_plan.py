"""The command that plans."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from roost.commands.options import Json, cli
from roost.shared.failures import CannotStart

if TYPE_CHECKING:
    from roost.commands.plan import Constants

SHIPPED: Final = Path(__file__).with_name("constants.json")


@cli.command()
def plan(
    clients: Annotated[int, typer.Option(help="Connected at a time.", min=1, max=1_000_000_000)],
    rate: Annotated[float, typer.Option(help="Messages a second that all clients publish together.", min=0)],
    fanout: Annotated[float, typer.Option(help="Clients that a message reaches.", min=0)],
    rooms: Annotated[
        int | None, typer.Option(help="Topics in which they meet; by default each client is in one.", min=1)
    ] = None,
    ids: Annotated[bool, typer.Option(help="Sockets have an id: each is a topic more.")] = True,
    payload: Annotated[int, typer.Option(help="Bytes of a message.", min=0)] = 64,
    cores: Annotated[int, typer.Option(help="Of a node's machine.", min=1, max=1024)] = 8,
    headroom: Annotated[float, typer.Option(help="Share of each part that stays free.", min=0, max=0.95)] = 0.5,
    heartbeat: Annotated[float, typer.Option(help="Seconds between two of a client.", min=1)] = 30.0,
    most_clients: Annotated[int, typer.Option(help="Of a node: so many were measured on one.", min=1)] = 100_000,
    constants: Annotated[
        Path, typer.Option(help="What each part costs, as the load tests wrote it.", metavar="FILE", show_default=False)
    ] = SHIPPED,
    json: Json = False,
) -> None:
    """Plan how many nodes, workers and shards a load needs, and say what is full first."""
    from roost.commands.plan import Load, NoPlan
    from roost.commands.plan import plan as make
    from roost.commands.show_plan import print_plan
    from roost.commands.terminal import print_json

    cost = _read(constants)
    load = Load(clients, rate, fanout, rooms, ids, payload, cores, headroom, heartbeat, most_clients)
    try:
        found = make(load, cost)
    except NoPlan as error:
        raise CannotStart(str(error)) from None
    print_json({"load": load, "plan": found, "constants": cost}) if json else print_plan(load, found, cost)


def _read(file: Path) -> "Constants":
    from roost.commands.plan import Constants

    try:
        return msgspec.json.decode(file.read_bytes(), type=Constants)
    except (OSError, msgspec.DecodeError) as error:
        raise CannotStart(f"{file} has no constants: {error}; `python -m tests.load constants` writes them") from None
