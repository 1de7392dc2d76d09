"""The commands that look into a running node, and those that act on its clients."""

from typing import Annotated, Final

import typer

from roost.options import Json, cli, setting, settings
from roost.shared.config import BadSetting
from roost.shared.inspection import MAX_ROWS

MAX_LIMIT: Final = 10_000_000
"""Rows that one command may be asked for."""
Limit = Annotated[int, typer.Option(help="Rows to show.", min=1, max=MAX_LIMIT)]


@cli.command()
def status(
    over: Annotated[float, typer.Option(help="Seconds over which rates are taken; 0 for none.", min=0, max=60)] = 0.5,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Show a running node: shards, workers, connections, what they do and what holds them up."""
    import msgspec

    from roost.look import look_twice
    from roost.show import print_status
    from roost.terminal import print_json

    answer, load = look_twice(settings(run_dir=run_dir).run_dir, over)
    if json:
        print_json({**msgspec.to_builtins(answer), "load": load})
    else:
        print_status(answer, load)


@cli.command()
def tree(run_dir: str | None = setting("run_dir"), json: Json = False) -> None:
    """Show the supervision tree with restarts, down to listeners, sockets and channels."""
    from roost.node import ask_node
    from roost.shared.inspection import AskTree, NodeTree
    from roost.show_tree import print_tree
    from roost.terminal import print_json

    answer = ask_node(settings(run_dir=run_dir).run_dir, AskTree(), NodeTree)
    print_json(answer) if json else print_tree(answer)


@cli.command()
def routes(run_dir: str | None = setting("run_dir"), json: Json = False) -> None:
    """Show the mounts, their transports, topic patterns and classes."""
    from roost.node import ask_node
    from roost.shared.inspection import AskRoutes, Routes
    from roost.show_tree import print_routes
    from roost.terminal import print_json

    answer = ask_node(settings(run_dir=run_dir).run_dir, AskRoutes(), Routes)
    print_json(answer) if json else print_routes(answer)


@cli.command()
def topics(
    prefix: Annotated[str, typer.Argument(help="Only topics that begin so.")] = "",
    sort: Annotated[str, typer.Option(help="By topic or by subscribers, the most first.")] = "topic",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Limit = 100,
    offset: Annotated[int, typer.Option(help="Rows to leave out first.", min=0)] = 0,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """List the topics that have subscribers, however many there are."""
    from roost.terminal import print_json
    from roost.topics import ORDERS, print_topics
    from roost.topics import topics as count

    if sort not in ORDERS:
        raise BadSetting(f"--sort must be one of {', '.join(ORDERS)}, not {sort!r}")
    directory = settings(run_dir=run_dir).run_dir
    answer = count(directory, prefix, sort, reverse=reverse, limit=limit, offset=offset)
    print_json(answer) if json else print_topics(answer, offset)


@cli.command()
def subscribers(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    limit: Limit = MAX_ROWS,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """List the subscribers of a topic, by shard and worker."""
    from roost.node import ask_node
    from roost.shared.inspection import AskSubscribers, Subscribers
    from roost.show_sockets import print_subscribers
    from roost.terminal import print_json

    answer = ask_node(settings(run_dir=run_dir).run_dir, AskSubscribers(topic, limit), Subscribers)
    print_json(answer) if json else print_subscribers(answer)


@cli.command()
def socket(
    name: Annotated[str, typer.Argument(help="WORKER.NUMBER, or the id the application gave.", metavar="ID")],
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Show one socket: channels, assigns (filtered as in logs), what waits, last events."""
    from roost.node import ask_node
    from roost.shared.failures import CannotStart
    from roost.shared.inspection import AskSockets, Sockets
    from roost.show_sockets import print_sockets
    from roost.terminal import print_json

    answer = ask_node(settings(run_dir=run_dir).run_dir, AskSockets(name), Sockets)
    print_json(answer) if json else print_sockets(answer)
    if not (answer.total or answer.gone or answer.silent):
        raise CannotStart(f"no socket is called {name!r}: give WORKER.NUMBER, or the id that its `connect` sets")


@cli.command()
def client(
    address: Annotated[str, typer.Argument(help="An address, or a network such as 10.0.0.0/8.", metavar="IP")],
    limit: Limit = MAX_ROWS,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """List the sockets of an address; behind a trusted proxy, the client's own."""
    from roost.node import ask_node
    from roost.shared.inspection import AskClient, ClientSockets, as_network
    from roost.show_sockets import print_client
    from roost.terminal import print_json

    try:
        network = str(as_network(address))
    except ValueError:
        raise BadSetting(f"{address!r} is no address, such as 10.0.0.7 or fd00::7, and no network") from None
    answer = ask_node(settings(run_dir=run_dir).run_dir, AskClient(network, limit), ClientSockets)
    print_json(answer) if json else print_client(answer)


@cli.command()
def broadcast(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    event: Annotated[str, typer.Argument(help="The event.")],
    payload: Annotated[str, typer.Argument(help="A JSON object.")] = "{}",
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Broadcast an event to all subscribers of a topic, as `endpoint.broadcast` does."""
    import msgspec

    from roost.node import ask_node
    from roost.shared.inspection import Broadcasted, BroadcastEvents, OutsideEvent
    from roost.terminal import print_json

    try:
        msgspec.json.decode(payload, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise BadSetting(f'the payload must be a JSON object, such as \'{{"body": "hello"}}\': {error}') from None
    question = BroadcastEvents((OutsideEvent(topic, event, payload.encode()),))
    answer = ask_node(settings(run_dir=run_dir).run_dir, question, Broadcasted)
    print_json(answer) if json else typer.echo(f"publish {answer.publish} of worker {answer.worker}")


@cli.command()
def disconnect(
    name: Annotated[str, typer.Argument(help="WORKER.NUMBER, or the id the application gave.", metavar="ID")],
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Close a socket, or all sockets of one id; their clients may come back."""
    from roost.node import ask_node
    from roost.shared.failures import CannotStart
    from roost.shared.inspection import Disconnected, DisconnectSockets
    from roost.show_sockets import print_disconnected
    from roost.terminal import print_json

    answer = ask_node(settings(run_dir=run_dir).run_dir, DisconnectSockets(name), Disconnected)
    print_json(answer) if json else print_disconnected(answer)
    if not (answer.sockets or answer.silent):
        raise CannotStart(f"no socket is called {name!r}: give WORKER.NUMBER, or the id that its `connect` sets")


@cli.command()
def doctor(
    run_dir: str | None = setting("run_dir"),
    port: str | None = setting("port"),
    host: str | None = setting("host"),
    json: Json = False,
) -> None:
    """Look for what is wrong with this machine or the node, with the fix in words; exit status 1 if anything is."""
    from roost.doctor import examine, print_diagnosis
    from roost.terminal import print_json

    diagnosis = examine(settings(run_dir=run_dir, port=port, host=host))
    print_json(diagnosis) if json else print_diagnosis(diagnosis)
    raise SystemExit(1 if diagnosis.wrong else 0)
