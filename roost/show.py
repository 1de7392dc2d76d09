"""What the commands print about a node."""

import sys
from collections.abc import Iterable
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from roost.shared.control import ConfigRow, NodeStatus, Subscribers, Topics, WorkerStatus


def print_json(answer: Any) -> None:
    """The whole answer, for programs."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(answer), indent=2) + b"\n")


def print_status(status: NodeStatus) -> None:
    """The node, its shards, its workers."""
    console = Console()
    console.print(f"Roost {status.version}, broker pid {status.pid}, up {_duration(status.uptime)}")
    shards = _table("shard", "incarnation", "pid", "state", "topics", "subscribers", "published", "deliveries")
    for shard in status.shards:
        state = "open" if shard.open else "waits for workers"
        shards.add_row(
            str(shard.slot),
            *map(str, (shard.incarnation, shard.pid, state, shard.topics, shard.subscribers)),
            *map(_number, (shard.published, shard.books.fanout)),
        )
    console.print(shards)
    if status.gateway is None:
        console.print("no gateway (start one with `roost gateway APP`)")
    else:
        gateway = status.gateway
        where = ", ".join(f"{host} port {port}" for host, port in (*gateway.addresses, *gateway.https_addresses))
        console.print(f"gateway pid {gateway.pid} serves {escape(gateway.app)} on {where}")
        workers = _table("worker", "pid", "state", "connections", "channels", "published", "delivered", "dropped")
        for worker in gateway.workers:
            workers.add_row(
                str(worker.number),
                str(worker.pid),
                _state(worker),
                *map(_number, (worker.connections, worker.channels)),
                *map(_number, (worker.published, worker.books.delivered, sum(worker.books.dropped.values()))),
            )
        console.print(workers)
    _print_silent(console, (*status.silent, *(status.gateway.silent if status.gateway else ())))


def print_config(rows: Iterable[ConfigRow], *, values_only: bool) -> None:
    """Settings with their values; one that was asked for by its name as its value alone."""
    console = Console()
    if values_only:
        for row in rows:
            console.print(row.value, highlight=False)
        return
    table = _table("setting", "value", "meaning")
    for row in rows:
        table.add_row(row.name, row.value, row.meaning)
    console.print(table)


def print_topics(answer: Topics) -> None:
    """Topics with the number of their subscribers."""
    console = Console()
    table = _table("topic", "subscribers")
    for row in answer.topics:
        table.add_row(escape(_visible(row.topic)), str(row.subscribers))
    console.print(table)
    _print_silent(console, answer.silent)


def print_subscribers(answer: Subscribers) -> None:
    """Subscribers by shard and worker."""
    console = Console()
    table = _table("shard", "worker", "subscriber", "lane")
    for row in answer.subscribers:
        table.add_row(str(row.slot), str(row.worker), str(row.subscriber), row.lane.name)
    console.print(table)
    _print_silent(console, answer.silent)


def _state(worker: WorkerStatus) -> str:
    if worker.draining:
        return "draining"
    if worker.drained:
        return "draining" if worker.connections else "drained"
    return "serving" if worker.serving else "not serving"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="left" if column in ("topic", "shard", "state", "lane") else "right")
    return table


def _print_silent(console: Console, silent: Iterable[str]) -> None:
    for name in silent:
        console.print(f"{name} did not answer", style="red")


def _visible(text: str) -> str:
    """Names come from clients: nothing in them may steer the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _number(value: int) -> str:
    return f"{value:,}"


def _duration(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
