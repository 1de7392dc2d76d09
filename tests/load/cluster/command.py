"""The command of it: `python -m tests.load cluster`."""

import json as json_format
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.load.cluster.scenario import Size, measure
from tests.load.display import Display
from tests.load.show import show

Nodes = Annotated[int, typer.Option(min=2, max=16, help="Nodes, each with one shard and one worker.")]
Clients = Annotated[int, typer.Option(min=1, max=1000, help="Clients on each node, while it is paced.")]
Rate = Annotated[float, typer.Option(min=1, help="Publishes a second, while it is paced.")]
Rooms = Annotated[int, typer.Option(min=1, max=900, help="Of many rooms, as fast as it goes.")]
InFlight = Annotated[int, typer.Option(min=1, max=10_000, help="Publishes under way, as fast as it goes.")]
Payload = Annotated[int, typer.Option(min=43, max=60_000, help="Bytes of a message's payload.")]
Seconds = Annotated[float, typer.Option(min=0.1, max=600, help="How long each load is measured.")]
Topics = Annotated[int, typer.Option(min=1, max=1_000_000, help="Topics that are joined and left.")]
Visitors = Annotated[int, typer.Option(min=1, max=1000, help="Clients that join and leave them.")]


def cluster(
    nodes: Nodes = 3,
    clients: Clients = 10,
    rate: Rate = 200.0,
    rooms: Rooms = 100,
    in_flight: InFlight = 1000,
    payload: Payload = 64,
    seconds: Seconds = 4.0,
    topics: Topics = 10_000,
    visitors: Visitors = 8,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
) -> None:
    """Nodes over NATS: a broadcast to all of them, as many as one bridge carries, topics that come and go."""
    size = Size(nodes, clients, rate, rooms, in_flight, payload, seconds, topics, visitors)
    reports = measure(Display(), size)
    for report in reports:
        show(report, Console())
    if json:
        json.write_text(json_format.dumps([report.as_data() for report in reports], indent=2) + "\n")
    if not all(report.faultless() for report in reports):
        raise typer.Exit(1)
