"""What the commands print about sockets, and about who subscribes to a topic."""

from typing import Final

from rich.console import Console

from roost.commands.terminal import console, moment, number, print_left_out, print_silent, short, size, table, visible
from roost.shared.acting import Disconnected
from roost.shared.inspection import ClientSockets, ControlEvent, SocketRow, Sockets, SocketState, Subscribers

MAX_NAMED: Final = 20
"""Closed sockets that are named one by one."""


def print_subscribers(answer: Subscribers) -> None:
    """Subscribers by shard and worker."""
    out = console()
    rows = table("shard", "worker", "subscriber", "lane", "socket", "id", "address", "since")
    for row in answer.subscribers:
        rows.add_row(
            str(row.slot),
            *map(str, (row.worker, row.subscriber, row.lane.name)),
            row.socket or "code",
            *map(visible, (row.id, row.address)),
            moment(row.since),
        )
    out.print(rows)
    print_left_out(out, len(answer.subscribers), answer.total)
    print_silent(out, answer.silent)


def print_client(answer: ClientSockets) -> None:
    """The sockets of an address."""
    out = console()
    rows = table("socket", "id", "class", "transport", "address", "channels", "waiting", "since", "heartbeat")
    for row in answer.sockets:
        rows.add_row(
            row.socket,
            visible(row.id),
            short(row.kind),
            row.transport,
            visible(row.address),
            number(row.channels),
            size(row.waiting),
            moment(row.since),
            moment(row.heartbeat),
        )
    out.print(rows)
    print_left_out(out, len(answer.sockets), answer.total)
    print_silent(out, answer.silent)


def print_sockets(answer: Sockets) -> None:
    """Sockets in full."""
    out = console()
    for state in answer.sockets:
        _print_socket(out, state)
    for gone in answer.gone:
        out.print(f"socket {gone.socket} is gone")
        _print_events(out, gone.events)
    print_left_out_sockets(out, answer)
    print_silent(out, answer.silent)


def print_left_out_sockets(out: Console, answer: Sockets) -> None:
    """How many sockets of one name were left out."""
    if answer.total > len(answer.sockets):
        out.print(f"... and {answer.total - len(answer.sockets):,} more of this id")


def _print_socket(out: Console, state: SocketState) -> None:
    row: SocketRow = state.row
    name = "" if row.id is None else f" {visible(row.id)}"
    out.print(f"socket {row.socket}{name}, {row.kind} by {row.transport} from {visible(row.address)}")
    out.print(f"  since {moment(row.since)}, last heartbeat {moment(row.heartbeat)}")
    out.print(f"  {size(row.waiting)} wait for the client, {size(row.held_back)} of its messages for channels")
    out.print(f"  assigns {visible(state.assigns)}")
    channels = table("topic", "channel", "state", "subscriber", "join_ref", "ref", "since", "assigns")
    for channel in state.channels:
        channels.add_row(
            visible(channel.topic),
            short(channel.channel),
            channel.state,
            *map(visible, (str(channel.subscriber), channel.join_ref, channel.ref)),
            moment(channel.since),
            visible(channel.assigns),
        )
    if state.channels:
        out.print(channels)
    print_left_out(out, len(state.channels), row.channels)
    _print_events(out, state.events)


def _print_events(out: Console, events: tuple[ControlEvent, ...]) -> None:
    for event in events:
        out.print(f"  {moment(event.time)} {event.event}{f' {visible(event.topic)}' if event.topic else ''}")


def print_disconnected(answer: Disconnected) -> None:
    """Which sockets are being closed."""
    out = console()
    for name in answer.sockets[:MAX_NAMED]:
        out.print(f"socket {name} is being closed")
    if len(answer.sockets) > MAX_NAMED:
        out.print(f"... and {len(answer.sockets) - MAX_NAMED:,} more")
    print_silent(out, answer.silent)
