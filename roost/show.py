"""What the commands print about a node."""

from collections.abc import Iterable

from roost.shared.control import ConfigRow, NodeStatus, WorkerStatus
from roost.terminal import console, duration, number, print_silent, table


def print_status(status: NodeStatus) -> None:
    """The node, its shards, its workers."""
    out = console()
    out.print(f"Roost {status.version}, broker pid {status.pid}, up {duration(status.uptime)}")
    shards = table("shard", "incarnation", "pid", "state", "topics", "subscribers", "published", "deliveries")
    for shard in status.shards:
        state = "open" if shard.open else "waits for workers"
        shards.add_row(
            str(shard.slot),
            *map(str, (shard.incarnation, shard.pid, state, shard.topics, shard.subscribers)),
            *map(number, (shard.published, shard.books.fanout)),
        )
    out.print(shards)
    if status.gateway is None:
        out.print("no gateway (start one with `roost gateway APP`)")
    else:
        gateway = status.gateway
        where = ", ".join(f"{host} port {port}" for host, port in (*gateway.addresses, *gateway.https_addresses))
        out.print(f"gateway pid {gateway.pid} serves {gateway.app} on {where}")
        workers = table("worker", "pid", "state", "connections", "channels", "published", "delivered", "dropped")
        for worker in gateway.workers:
            workers.add_row(
                str(worker.number),
                str(worker.pid),
                _state(worker),
                *map(number, (worker.connections, worker.channels)),
                *map(number, (worker.published, worker.books.delivered, sum(worker.books.dropped.values()))),
            )
        out.print(workers)
    print_silent(out, (*status.silent, *(status.gateway.silent if status.gateway else ())))


def print_config(rows: Iterable[ConfigRow], *, values_only: bool) -> None:
    """Settings with their values; one that was asked for by its name as its value alone."""
    out = console()
    if values_only:
        for row in rows:
            out.print(row.value)
        return
    rows_shown = table("setting", "value", "meaning")
    for row in rows:
        rows_shown.add_row(row.name, row.value, row.meaning)
    out.print(rows_shown)


def _state(worker: WorkerStatus) -> str:
    if worker.draining:
        return "draining"
    if worker.drained:
        return "draining" if worker.connections else "drained"
    return "serving" if worker.serving else "not serving"
