"""The commands that look into a running node, and those that act on its clients."""

import re
from functools import partial
from typing import Annotated, Final

import typer

from roost.commands.options import Json, NodeName, OneNode, cli, setting, settings
from roost.shared.config import BadSetting
from roost.shared.failures import CannotStart
from roost.shared.inspection import MAX_ROWS
from roost.shared.setting_texts import EVERY_NODE
from roost.shared.trace import DEFAULT_LIMIT as DEFAULT_TRACE_LIMIT
from roost.shared.trace import DEFAULT_SECONDS as DEFAULT_TRACE_SECONDS
from roost.shared.trace import MAX_LIMIT as MAX_TRACE_LIMIT
from roost.shared.trace import MAX_SECONDS as MAX_TRACE_SECONDS

MAX_LIMIT: Final = 10_000_000
"""Rows that one command may be asked for."""
ONE_SOCKET: Final = re.compile(r"\d+\.\d+")
"""What a node calls a socket: worker and number. Other nodes call others so."""
Limit = Annotated[int, typer.Option(help="Rows to show.", min=1, max=MAX_LIMIT)]


@cli.command()
def status(
    over: Annotated[float, typer.Option(help="Seconds over which rates are taken; 0 for none.", min=0, max=60)] = 0.5,
    node: NodeName = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Show a running node: shards, workers, connections, what they do and what holds them up."""
    import msgspec

    from roost.commands.across import show
    from roost.commands.look import look_twice
    from roost.commands.show import print_status

    show(
        settings(run_dir=run_dir).run_dir,
        node,
        partial(look_twice, over=over),
        lambda look: print_status(*look),
        json=json,
        as_json=lambda look: {**msgspec.to_builtins(look[0]), "load": look[1]},
    )


@cli.command()
def tree(node: NodeName = None, run_dir: str | None = setting("run_dir"), json: Json = False) -> None:
    """Show the supervision tree with restarts, down to listeners, sockets and channels."""
    from roost.commands.across import show
    from roost.commands.node import ask_node
    from roost.commands.show_tree import print_tree
    from roost.shared.inspection import AskTree, NodeTree

    look = partial(ask_node, question=AskTree(), answer=NodeTree)
    show(settings(run_dir=run_dir).run_dir, node, look, print_tree, json=json)


@cli.command()
def routes(node: NodeName = None, run_dir: str | None = setting("run_dir"), json: Json = False) -> None:
    """Show the mounts, their transports, topic patterns and classes."""
    from roost.commands.across import show
    from roost.commands.node import ask_node
    from roost.commands.show_tree import print_routes
    from roost.shared.inspection import AskRoutes, Routes

    look = partial(ask_node, question=AskRoutes(), answer=Routes)
    show(settings(run_dir=run_dir).run_dir, node, look, print_routes, json=json)


@cli.command()
def topics(
    prefix: Annotated[str, typer.Argument(help="Only topics that begin so.")] = "",
    sort: Annotated[str, typer.Option(help="By topic or by subscribers, the most first.")] = "topic",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Limit = 100,
    offset: Annotated[int, typer.Option(help="Rows to leave out first.", min=0)] = 0,
    node: NodeName = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """List the topics that have subscribers, however many there are."""
    from roost.commands.across import show
    from roost.commands.topics import print_topics
    from roost.commands.topics import topics as count
    from roost.shared.topic_walk import ORDERS

    if sort not in ORDERS:
        raise BadSetting(f"--sort must be one of {', '.join(ORDERS)}, not {sort!r}")
    look = partial(count, prefix=prefix, order=sort, reverse=reverse, limit=limit, offset=offset)
    show(settings(run_dir=run_dir).run_dir, node, look, partial(print_topics, offset=offset), json=json)


@cli.command()
def subscribers(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    limit: Limit = MAX_ROWS,
    node: NodeName = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """List the subscribers of a topic, by shard and worker."""
    from roost.commands.across import show
    from roost.commands.node import ask_node
    from roost.commands.show_sockets import print_subscribers
    from roost.shared.inspection import AskSubscribers, Subscribers

    look = partial(ask_node, question=AskSubscribers(topic, limit), answer=Subscribers)
    show(settings(run_dir=run_dir).run_dir, node, look, print_subscribers, json=json)


@cli.command()
def socket(
    name: Annotated[str, typer.Argument(help="WORKER.NUMBER, or the id the application gave.", metavar="ID")],
    node: NodeName = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Show one socket: channels, assigns (filtered as in logs), what waits, last events."""
    from roost.commands.across import show
    from roost.commands.node import ask_node
    from roost.commands.show_sockets import print_sockets
    from roost.shared.inspection import AskSockets, Sockets

    look = partial(ask_node, question=AskSockets(name), answer=Sockets)
    answers = show(settings(run_dir=run_dir).run_dir, node, look, print_sockets, json=json)
    if not any(answer.total or answer.gone or answer.silent for answer in answers):
        raise _unknown_socket(name)


@cli.command()
def client(
    address: Annotated[str, typer.Argument(help="An address, or a network such as 10.0.0.0/8.", metavar="IP")],
    limit: Limit = MAX_ROWS,
    node: NodeName = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """List the sockets of an address; behind a trusted proxy, the client's own."""
    from roost.commands.across import show
    from roost.commands.node import ask_node
    from roost.commands.show_sockets import print_client
    from roost.shared.inspection import AskClient, ClientSockets, as_network

    try:
        network = str(as_network(address))
    except ValueError:
        raise BadSetting(f"{address!r} is no address, such as 10.0.0.7 or fd00::7, and no network") from None
    look = partial(ask_node, question=AskClient(network, limit), answer=ClientSockets)
    show(settings(run_dir=run_dir).run_dir, node, look, print_client, json=json)


@cli.command()
def nodes(run_dir: str | None = setting("run_dir"), json: Json = False) -> None:
    """Show the cluster as this node sees it: the engine, the other nodes, what came from them and what was lost."""
    from roost.commands.node import ask_node
    from roost.commands.show_cluster import print_nodes
    from roost.commands.terminal import print_json
    from roost.shared.cluster import AskCluster, ClusterStatus

    answer = ask_node(settings(run_dir=run_dir).run_dir, AskCluster(), ClusterStatus)
    print_json(answer) if json else print_nodes(answer)


@cli.command()
def top(
    interval: Annotated[
        float | None, typer.Option(help="Seconds from one look to the next.  [default: 1]", min=0.1, max=3600)
    ] = None,
    count: Annotated[int | None, typer.Option(help="Looks to show; else until q is pressed.", min=1)] = None,
    limit: Annotated[int, typer.Option(help="Topics and clients to ask for.", min=1, max=MAX_ROWS)] = 20,
    node: OneNode = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Watch a node: rates, latency, hottest topics, slowest clients, queues. Prints one look where nobody watches."""
    import sys

    from roost.commands.across import one_node
    from roost.commands.top import Plan, print_top, show_top

    where = one_node(settings(run_dir=run_dir).run_dir, node)
    if not json and sys.stdout.isatty():
        show_top(where, Plan(interval or 1.0, count, limit))
        return
    endless = json and interval is not None
    plan = Plan(interval or 1.0, count or (None if endless else 1), limit)
    print_top(where, plan, json=json, lines=endless or count is not None)


@cli.command()
def trace(
    topic: Annotated[str | None, typer.Option(help="A topic, or a pattern as in routes: room:*.", metavar="P")] = None,
    event: Annotated[str | None, typer.Option(help="Only this event.", metavar="E")] = None,
    socket: Annotated[
        str | None, typer.Option(help="WORKER.NUMBER, or the id the application gave.", metavar="ID")
    ] = None,
    limit: Annotated[int, typer.Option(help="Matches to show.", min=1, max=MAX_TRACE_LIMIT)] = DEFAULT_TRACE_LIMIT,
    seconds: Annotated[
        float, typer.Option(help="How long at most.", min=0.1, max=MAX_TRACE_SECONDS)
    ] = DEFAULT_TRACE_SECONDS,
    node: OneNode = None,
    run_dir: str | None = setting("run_dir"),
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Show joins, messages, pushes and each hop of broadcasts as they happen, on all workers and shards.

    Ctrl-C ends it early.
    """
    from roost.commands.across import one_node
    from roost.commands.trace import trace_node
    from roost.shared.trace import TraceFilter

    try:
        wanted = TraceFilter(topic, event, socket)
    except ValueError as error:
        raise BadSetting(str(error)) from None
    trace_node(one_node(settings(run_dir=run_dir).run_dir, node), wanted, limit, seconds, json=json)


@cli.command()
def broadcast(
    topic: Annotated[str, typer.Argument(help="The topic.")],
    event: Annotated[str, typer.Argument(help="The event.")],
    payload: Annotated[str, typer.Argument(help="A JSON object.")] = "{}",
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Broadcast an event to all subscribers of a topic on all nodes, as `endpoint.broadcast` does."""
    import msgspec

    from roost.commands.node import ask_node
    from roost.commands.terminal import print_json
    from roost.shared.acting import Broadcasted, BroadcastEvents, OutsideEvent

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
    node: NodeName = None,
    run_dir: str | None = setting("run_dir"),
    json: Json = False,
) -> None:
    """Close a socket, or all sockets of one id; their clients may come back."""
    from roost.commands.across import show
    from roost.commands.node import ask_node
    from roost.commands.show_sockets import print_disconnected
    from roost.shared.acting import Disconnected, DisconnectSockets

    if node == EVERY_NODE and ONE_SOCKET.fullmatch(name):
        raise BadSetting(f"{name} is another socket on each node: name one by --node")
    look = partial(ask_node, question=DisconnectSockets(name), answer=Disconnected)
    answers = show(settings(run_dir=run_dir).run_dir, node, look, print_disconnected, json=json)
    if not any(answer.sockets or answer.silent for answer in answers):
        raise _unknown_socket(name)


@cli.command()
def doctor(
    run_dir: str | None = setting("run_dir"),
    port: str | None = setting("port"),
    host: str | None = setting("host"),
    json: Json = False,
) -> None:
    """Look for what is wrong with this machine or the node, with the fix in words; exit status 1 if anything is."""
    from roost.commands.doctor import examine, print_diagnosis
    from roost.commands.terminal import print_json

    diagnosis = examine(settings(run_dir=run_dir, port=port, host=host))
    print_json(diagnosis) if json else print_diagnosis(diagnosis)
    raise SystemExit(1 if diagnosis.wrong else 0)


def _unknown_socket(name: str) -> CannotStart:
    return CannotStart(f"no socket is called {name!r}: give WORKER.NUMBER, or the id that its `connect` sets")
