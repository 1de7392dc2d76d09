"""The command line of the load tests."""

import json as json_format
import resource
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

from roost import WhenSlow
from tests.load import bars, comparison, constants, scenarios, table
from tests.load.cluster.command import cluster
from tests.load.display import Display
from tests.load.options import scenario
from tests.load.orders import LoadTestFailed
from tests.load.peer import PEERS
from tests.load.plan import Crowding, Fill, Obstruction, Visits, Work
from tests.load.ratios import Comparison, markdown
from tests.load.result import Report
from tests.load.scenarios import Setup
from tests.load.scratch import FOLDER, Scratch

app: Final = typer.Typer(
    help="Load tests: start a node, drive it, compare it with a bare loop that only writes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

CONSTANTS: Final = Path(__file__).parents[2] / "roost" / "constants.json"
OTHERS: Final = ("floor", *PEERS)
"""Whom `peers` compares with, in the order of the table."""

Rooms = Annotated[int, typer.Option(min=1, max=50_000)]
Members = Annotated[int, typer.Option("--clients", min=1, max=110_000, help="Clients in each room.")]
Clients = Annotated[int, typer.Option(min=1, max=110_000, help="Clients in all.")]
InFlight = Annotated[int, typer.Option(min=1, help="Messages in flight in each room: a closed loop.")]
InFlightInAll = Annotated[int, typer.Option("--in-flight", min=1, help="Pushes in flight in all: a closed loop.")]
Rate = Annotated[float, typer.Option(min=0, help="Messages a second into all rooms together: an open loop instead.")]
Payload = Annotated[int, typer.Option(min=43, max=60_000, help="Bytes of a message's payload.")]
Seconds = Annotated[float, typer.Option(min=0.1, max=86_400, help="How long to measure.")]
Minutes = Annotated[float, typer.Option(min=0.05, max=10_000, help="How long to measure.")]
Warmup = Annotated[float, typer.Option(min=0, max=60, help="Seconds before that.")]
AtOnce = Annotated[int, typer.Option(min=1, max=4096, help="Clients under way at the same time while joining.")]
Storm = Annotated[
    bool, typer.Option("--after-drain", "--storm", help="Then the gateway drains and restarts: all come back at once.")
]
Period = Annotated[float, typer.Option(min=0.1, help="Seconds between two heartbeats of a client.")]
Broadcasts = Annotated[int, typer.Option(min=0, max=1000, help="Broadcasts to all at the end.")]
Visitors = Annotated[int, typer.Option(min=1, max=18_000, help="Clients that come and go.")]
Stay = Annotated[float, typer.Option(min=0.01, help="Seconds between a visitor's join and its leave.")]
Reconnect = Annotated[bool, typer.Option("--reconnect", help="Visitors come on a new connection each time.")]


@app.command()
@scenario
def fanout(
    setup: Setup,
    rooms: Rooms = 1,
    clients: Members = 1000,
    in_flight: InFlight = 32,
    rate: Rate = 0.0,
    payload: Payload = 64,
    seconds: Seconds = 5.0,
    warmup: Warmup = 1.0,
) -> Report:
    """Broadcasts to large rooms."""
    work = _work("fanout", payload, in_flight, rate, seconds, warmup)
    return scenarios.drive(setup, Crowding(rooms, clients), work)


@app.command("rooms")
@scenario
def many_rooms(
    setup: Setup,
    rooms: Rooms = 500,
    clients: Members = 2,
    in_flight: InFlight = 1,
    rate: Rate = 0.0,
    payload: Payload = 64,
    seconds: Seconds = 5.0,
    warmup: Warmup = 1.0,
) -> Report:
    """Broadcasts to many small rooms."""
    work = _work("rooms", payload, in_flight, rate, seconds, warmup)
    return scenarios.drive(setup, Crowding(rooms, clients), work)


@app.command()
@scenario
def echo(
    setup: Setup,
    clients: Clients = 200,
    in_flight: InFlightInAll = 200,
    rate: Rate = 0.0,
    payload: Payload = 64,
    seconds: Seconds = 5.0,
    warmup: Warmup = 1.0,
) -> Report:
    """Pushes that are answered."""
    window = max(1, in_flight // clients)
    work = replace(_work("echo", payload, window, rate, seconds, warmup), event="ping")
    return scenarios.drive(setup, Crowding(min(clients, in_flight), 1), work)


@app.command()
@scenario
def floor(
    setup: Setup,
    rooms: Rooms = 1,
    clients: Members = 1000,
    in_flight: InFlight = 32,
    rate: Rate = 0.0,
    payload: Payload = 64,
    seconds: Seconds = 5.0,
    warmup: Warmup = 1.0,
) -> Report:
    """The bare loop alone: what the kernel charges for writing the frames."""
    work = _work("floor", payload, in_flight, rate, seconds, warmup)
    return scenarios.floor_alone(setup, Crowding(rooms, clients), work)


@app.command()
@scenario
def join(
    setup: Setup, clients: Clients = 5000, rooms: Rooms = 1, at_once: AtOnce = 128, storm: Storm = False
) -> Report:
    """Connect and join as fast as the server allows."""
    return scenarios.join(setup, _crowding(clients, rooms, at_once), storm=storm)


@app.command()
@scenario
def idle(
    setup: Setup,
    clients: Clients = 15_000,
    rooms: Rooms = 1,
    at_once: AtOnce = 128,
    seconds: Seconds = 30.0,
    period: Period = 30.0,
    broadcasts: Broadcasts = 5,
) -> Report:
    """Clients that are only there: their memory, the CPU of their heartbeats, a broadcast to all."""
    crowding = _crowding(clients, rooms, at_once)
    return scenarios.idle(setup, crowding, seconds=seconds, period=period, broadcasts=broadcasts)


@app.command()
@scenario
def churn(
    setup: Setup,
    rooms: Rooms = 1,
    clients: Members = 1000,
    visitors: Visitors = 100,
    stay: Stay = 0.1,
    reconnect: Reconnect = False,
    rate: Rate = 50.0,
    payload: Payload = 64,
    seconds: Seconds = 10.0,
    warmup: Warmup = 1.0,
) -> Report:
    """Joins and leaves under broadcast."""
    work = _work("churn", payload, 0, rate, seconds, warmup)
    return scenarios.come_and_go(setup, Crowding(rooms, clients), work, Visits(visitors, stay, reconnect))


@app.command()
@scenario
def mixed(
    setup: Setup,
    rooms: Rooms = 100,
    clients: Members = 20,
    visitors: Visitors = 400,
    stay: Stay = 2.0,
    rate: Rate = 500.0,
    payload: Payload = 64,
    seconds: Seconds = 60.0,
    warmup: Warmup = 1.0,
) -> Report:
    """A day of a chat service in a minute: messages, visitors on new connections, presence, as the hour brings."""
    work = replace(_work("mixed", payload, 0, rate, seconds, warmup), day=True)
    visits = Visits(visitors, stay, reconnect=True, presence=True)
    return scenarios.come_and_go(setup, Crowding(rooms, clients), work, visits)


@app.command()
@scenario
def soak(
    setup: Setup,
    minutes: Minutes = 60.0,
    rooms: Rooms = 100,
    clients: Members = 20,
    visitors: Visitors = 200,
    stay: Stay = 2.0,
    rate: Rate = 300.0,
    payload: Payload = 64,
) -> Report:
    """Hours of messages, comings and goings: does memory or latency drift?"""
    work = replace(_work("soak", payload, 0, rate, minutes * 60, 1.0), slices=200)
    visits = Visits(visitors, stay, reconnect=True, presence=True)
    return scenarios.come_and_go(setup, Crowding(rooms, clients), work, visits)


@app.command()
@scenario
def presence(
    setup: Setup,
    present: Annotated[int, typer.Option(min=1, max=1_000_000, help="Who is present all the time.")] = 10_000,
    watchers: Annotated[int, typer.Option(min=1, max=10_000, help="Clients that are told of all.")] = 100,
    rate: Annotated[float, typer.Option(min=0.1, help="Joins a second, and as many leaves.")] = 100.0,
    stay: Stay = 1.0,
    seconds: Seconds = 10.0,
    states: Annotated[bool, typer.Option("--states/--no-states", help="Show those who come who is there.")] = True,
) -> Report:
    """Many present in one topic, while others come, are shown who is there, and go."""
    return scenarios.presence(
        setup, present=present, watchers=watchers, rate=rate, stay=stay, seconds=seconds, states=states
    )


@app.command()
@scenario
def stuck(
    setup: Setup,
    clients: Members = 10_000,
    number: Annotated[int, typer.Option("--stuck", min=1, max=8000, help="Further clients, that never read.")] = 1,
    policy: Annotated[WhenSlow, typer.Option(help="Of the rooms.")] = WhenSlow.DROP_NEWEST,
    fill: Annotated[Fill, typer.Option(help="When they ask for more than may wait for them.")] = Fill.BEFORE,
    pairs: Annotated[int, typer.Option(min=1, max=99, help="Runs with them, and as many without.")] = 6,
    rate: Rate = 4.0,
    payload: Payload = 64,
    seconds: Seconds = 8.0,
    warmup: Warmup = 1.0,
) -> Report:
    """Broadcasts to a room in which some do not read: what does it cost the others, and memory?"""
    work = _work("stuck", payload, 0, rate, seconds, warmup)
    return scenarios.stuck(setup, Crowding(1, clients), work, Obstruction(number, policy.value, fill, pairs))


app.command()(cluster)


@app.command("table")
def table_of_the_readme(
    seconds: Seconds = 5.0,
    rounds: Annotated[int, typer.Option(min=1, max=99, help="How often each line is measured.")] = 1,
    clients: Annotated[int, typer.Option(min=1, max=18_000, help="Clients that join.")] = 5000,
    shards: Annotated[int | None, typer.Option(min=1, help="Shards of the node.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers of the node.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
) -> None:
    """The table of the README, in Markdown."""
    setup = Setup(Display(), shards=shards, workers=workers)
    measured = list(table.measure(setup, seconds, rounds, clients))
    print(table.markdown(measured, rounds))
    reports = [report for line in measured for report in line.reports]
    if json:
        json.write_text(json_format.dumps([report.as_data() for report in reports], indent=2) + "\n")
    if not all(report.faultless() for report in reports):
        raise typer.Exit(1)


@app.command("constants")
def constants_of_the_plan(
    seconds: Seconds = 4.0,
    clients: Annotated[int, typer.Option(min=100, max=18_000, help="Clients that join.")] = 3000,
    file: Annotated[Path, typer.Option(help="Where to write them.")] = CONSTANTS,
) -> None:
    """What each part costs here, for `roost plan`: one shard, one worker, two nodes over NATS."""
    measured = constants.rounded(
        constants.measure(Setup(Display(), shards=1, workers=1, floor=False), seconds, clients)
    )
    file.write_text(json_format.dumps(measured, indent=2) + "\n")
    print(file.read_text(), end="")


@app.command("peers")
def next_to_peers(
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(OTHERS)}; may be given again.")] = None,
    trial: Annotated[list[str] | None, typer.Option(help="One kind of work, not all; may be given again.")] = None,
    seconds: Seconds = 3.0,
    clients: Annotated[int, typer.Option(min=1, max=18_000, help="Clients that join.")] = 2000,
    members: Annotated[int, typer.Option(min=2, max=18_000, help="Clients in the large room.")] = 1000,
    shards: Annotated[int | None, typer.Option(min=1, help="Shards of the node.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers of the node.")] = None,
    scratch: Annotated[Path, typer.Option(help="The folder that they are installed into.")] = FOLDER,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep what that file has of other peers and trials.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write a picture to this file, as SVG.")] = None,
) -> None:
    """The same work for other servers, with Roost before and after each: a table of ratios, in Markdown."""
    known = {each.key: each for each in comparison.trials(clients, members)}
    chosen = _chosen("server", only, OTHERS)
    peers = [PEERS[name] for name in chosen if name in PEERS]
    tests = [known[key] for key in _chosen("trial", trial, known)]
    found = comparison.compare(
        Setup(Display(), shards=shards, workers=workers),
        Scratch(scratch),
        peers,
        tests,
        seconds,
        floor="floor" in chosen,
    )
    if keep and json and json.exists():
        found.add(Comparison.from_data(json_format.loads(json.read_text())))
        columns = [measure.key for each in known.values() for _, measure in each.measures]
        found.arrange([comparison.FLOOR, *(peer.name for peer in PEERS.values())], columns)
    print(markdown(found))
    if json:
        json.write_text(json_format.dumps(found.as_data(), indent=2) + "\n")
    if plot:
        plot.write_text(bars.svg(found))


def _chosen(what: str, wanted: list[str] | None, known: Iterable[str]) -> list[str]:
    """In the order that they are known in; all if none was chosen."""
    for name in wanted or ():
        if name not in known:
            raise LoadTestFailed(f"there is no {what} {name!r}: choose of {', '.join(known)}")
    return [name for name in known if not wanted or name in wanted]


def _crowding(clients: int, rooms: int, at_once: int) -> Crowding:
    return Crowding(rooms, max(1, clients // rooms), at_once=at_once)


def _work(title: str, payload: int, in_flight: int, rate: float, seconds: float, warmup: float) -> Work:
    """A rate makes it an open loop, whatever the window."""
    window = 0 if rate else in_flight
    return Work(title, payload_bytes=payload, window=window, rate=rate, seconds=seconds, warmup=warmup)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(143)


def main() -> None:
    """Run a scenario; whatever ends it, what it started goes first."""
    signal.signal(signal.SIGTERM, _terminated)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        app()
    except LoadTestFailed as failure:
        Console(stderr=True).print(f"The load test failed: {failure}", style="red", highlight=False, markup=False)
        raise SystemExit(1) from None
