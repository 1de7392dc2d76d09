"""What the commands print about a node."""

from collections.abc import Iterable

from rich.table import Table

from roost.commands.load import Load
from roost.commands.show_cluster import print_cluster
from roost.commands.terminal import console, duration, number, print_silent, rate, size, table, visible
from roost.shared.control import ConfigRow, NodeStatus, WorkerStatus
from roost.shared.settings_table import SettingRow


def print_status(status: NodeStatus, load: Load) -> None:
    """The node, its shards, its workers, and what holds it up."""
    out = console()
    out.print(f"Roost {status.version}, up {duration(status.uptime)}" + (f", {load.cores} cores" if load.cores else ""))
    supervisors = [("broker", status.pid), *([("gateway", status.gateway.pid)] if status.gateway else [])]
    for name, pid in supervisors:
        used = load.processes.get(pid)
        out.print(f"{name} pid {pid}" + (f", {used.cpu:.0%} of a core, {size(used.memory)}" if used else ""))
    out.print(_shards(status, load))
    if status.gateway is None:
        out.print("no gateway (start one with `roost gateway APP`)")
    else:
        gateway = status.gateway
        where = ", ".join(f"{host} port {port}" for host, port in (*gateway.addresses, *gateway.https_addresses))
        out.print(f"serves {gateway.app} on {where}")
        if gateway.admin_addresses:
            where = ", ".join(f"{host} port {port}" for host, port in gateway.admin_addresses)
            out.print(f"metrics, health and the dashboard on {where}")
        out.print(_workers(gateway.workers, load))
    if status.cluster is not None:
        print_cluster(out, status.cluster)
    if load.skew is not None:
        out.print(f"the fullest worker has {load.skew:.2f} times the mean of connections")
    for warning in load.warnings:
        out.print(warning, style="yellow")
    print_silent(out, (*status.silent, *(status.gateway.silent if status.gateway else ())))


def _shards(status: NodeStatus, load: Load) -> Table:
    shown = table("shard", "pid", "state", "CPU", "memory", "topics", "subscribers", "published/s", "deliveries/s")
    for shard in status.shards:
        state = "open" if shard.open else "waits for workers"
        rates = load.shards.get(str(shard.slot))
        shown.add_row(
            str(shard.slot),
            str(shard.pid),
            state,
            *_used(load, shard.pid),
            *map(number, (shard.topics, shard.subscribers)),
            *((rate(rates.published), rate(rates.deliveries)) if rates else ("-", "-")),
        )
    return shown


def _workers(workers: Iterable[WorkerStatus], load: Load) -> Table:
    shown = table(
        *("worker", "pid", "state", "CPU", "memory", "connections", "channels", "published/s", "delivered/s", "dropped")
    )
    for worker in workers:
        rates = load.workers.get(worker.number)
        shown.add_row(
            *map(str, (worker.number, worker.pid)),
            _state(worker),
            *_used(load, worker.pid),
            *map(number, (worker.connections, worker.channels)),
            *((rate(rates.published), rate(rates.delivered)) if rates else ("-", "-")),
            number(sum(worker.books.dropped.values())),
        )
    return shown


def _used(load: Load, pid: int) -> tuple[str, str]:
    used = load.processes.get(pid)
    return (f"{used.cpu:.0%}", size(used.memory)) if used else ("-", "-")


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


def print_settings(rows: Iterable[SettingRow], unknown: Iterable[str]) -> None:
    """Every setting, and variables that look like settings and are none."""
    out = console()
    shown = table("setting", "value", "from", "meaning")
    for row in rows:
        shown.add_row(row.variable, visible(row.value), row.source, row.meaning)
    out.print(shown)
    for sentence in unknown:
        out.print(visible(sentence), style="yellow")


def _state(worker: WorkerStatus) -> str:
    if worker.draining:
        return "draining"
    if worker.drained:
        return "draining" if worker.connections else "drained"
    return "serving" if worker.serving else "not serving"
