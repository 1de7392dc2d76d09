"""What `roost status` and `roost nodes` print about the other nodes."""

from typing import Final

from rich.console import Console

from roost.commands.terminal import console, duration, number, size, table, visible
from roost.shared.cluster import ClusterStatus, EngineState

MINUTE: Final = 60.0
"""Seconds."""


def print_nodes(cluster: ClusterStatus) -> None:
    """The cluster alone, with what went out."""
    out = console()
    print_cluster(out, cluster)
    found = f", the engine lost and found {number(cluster.reconnects)} times" if cluster.reconnects else ""
    out.print(f"{number(cluster.buckets)} buckets heard, {number(cluster.sent)} publishes sent{found}")


def print_cluster(out: Console, cluster: ClusterStatus) -> None:
    """The way to the engine in words, then a line for each other node."""
    out.print(visible(f"node {cluster.node}, cluster: {_state(cluster)}"), style=_style(cluster))
    if cluster.buffered:
        waiting = f"{number(cluster.buffered)} publishes ({size(cluster.buffered_bytes)}) wait for the other nodes"
        out.print(waiting, style=_style(cluster))
    if cluster.dropped:
        out.print(f"{number(cluster.dropped)} publishes found no room to wait and were dropped", style="yellow")
    if cluster.unreadable:
        out.print(
            f"{number(cluster.unreadable)} messages that cannot be read: of another version, or of no node",
            style="yellow",
        )
    if not cluster.nodes:
        out.print("no other node was heard")
        return
    shown = table("node", "state", "version", "heard", "received", "duplicates", "lost", "gaps of unknown size")
    for row in cluster.nodes:
        counts = (row.received, row.duplicates, row.lost, row.unknown_gaps)
        state = "up" if row.up else "gone"
        shown.add_row(visible(row.node), state, row.version, _ago(row.heard), *map(number, counts))
    out.print(shown)


def _state(cluster: ClusterStatus) -> str:
    since = duration(cluster.since)
    match cluster.state:
        case EngineState.CONNECTED:
            there_and_back = f", {cluster.round_trip * 1000:.1f} ms there and back" if cluster.round_trip else ""
            return f"connected to {cluster.engine} for {since}{there_and_back}"
        case EngineState.DEAF:
            return f"{cluster.engine} has not answered for {since}; the node goes on by itself and tries again"
        case EngineState.CONNECTING:
            return f"{cluster.engine} has been away for {since}; the node goes on by itself and tries again"


def _style(cluster: ClusterStatus) -> str:
    return "" if cluster.state is EngineState.CONNECTED else "yellow"


def _ago(seconds: float) -> str:
    return f"{seconds:.1f} s ago" if seconds < MINUTE else f"{duration(seconds)} ago"
