"""How busy a node is: what changed from one look at it to the next, and what holds it up, in words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from roost.shared.control import NodeStatus, ShardStatus, WorkerStatus
from roost.shared.measurements import NodeMeasurements, Usage

FULL: Final = 0.9
"""Share of a core from which a process is said to be the bottleneck."""
FULL_MACHINE: Final = 0.95
"""Share of all cores from which the machine is."""
SKEWED: Final = 1.5
"""The busiest worker has so many times the mean, and the kernel does not spread connections evenly."""
ENOUGH: Final = 100
"""Connections a worker below which an uneven spread is mere chance."""


class ProcessLoad(msgspec.Struct, frozen=True):
    """What one process uses."""

    cpu: float
    """Share of a core."""
    memory: int
    """Bytes that are resident."""


class WorkerRates(msgspec.Struct, frozen=True):
    """What one worker did in a second."""

    published: float
    delivered: float
    dropped: float


class ShardRates(msgspec.Struct, frozen=True):
    """What one shard did in a second."""

    published: float
    deliveries: float


class Load(msgspec.Struct, frozen=True):
    """How busy a node was between two looks."""

    seconds: float
    cores: int | None
    """Of the machine, None if it is another one."""
    processes: dict[int, ProcessLoad]
    """By pid; none where the system does not tell."""
    workers: dict[int, WorkerRates]
    """By number, those that were there all the while."""
    shards: dict[str, ShardRates]
    """By slot, those that were there all the while."""
    skew: float | None
    """Connections of the worker that has most, as a multiple of the mean; None for one worker or no connections."""
    warnings: tuple[str, ...]


class Look(NamedTuple):
    """A node at one moment."""

    time: float
    status: NodeStatus
    used: Mapping[int, Usage]
    """By pid."""


def pids(status: NodeStatus) -> list[int]:
    """The processes that answered."""
    workers = [] if status.gateway is None else [status.gateway.pid, *(one.pid for one in status.gateway.workers)]
    return [status.pid, *(shard.pid for shard in status.shards), *workers]


def used_elsewhere(status: NodeStatus, measured: NodeMeasurements) -> dict[int, Usage]:
    """By process, as the processes of a node on another machine measured it themselves."""
    usages: dict[int, Usage] = {}
    if status.gateway is not None:
        usages[status.gateway.pid] = measured.usage
    if measured.broker is not None:
        usages[status.pid] = measured.broker.usage
        shards = {(shard.slot, shard.incarnation): shard.pid for shard in status.shards}
        for shard in measured.broker.shards:
            if (pid := shards.get((shard.slot, shard.incarnation))) is not None:
                usages[pid] = shard.usage
    workers = {worker.number: worker.pid for worker in _workers(status)}
    for worker in measured.workers.values():
        if (pid := workers.get(worker.number)) is not None:
            usages[pid] = worker.usage
    return usages


def compare(before: Look, after: Look, cores: int | None) -> Load:
    """What the node did from one look to the next."""
    seconds = max(after.time - before.time, 1e-9)
    processes = {
        pid: ProcessLoad(max(0.0, used.cpu_seconds - before.used[pid].cpu_seconds) / seconds, used.resident_bytes)
        for pid, used in after.used.items()
        if pid in before.used
    }
    old_workers = {worker.number: worker for worker in _workers(before.status)}
    workers = {
        worker.number: _worker_rates(old_workers[worker.number], worker, seconds)
        for worker in _workers(after.status)
        if worker.number in old_workers
    }
    old_shards = {(shard.slot, shard.incarnation): shard for shard in before.status.shards}
    shards = {
        str(shard.slot): _shard_rates(old, shard, seconds)
        for shard in after.status.shards
        if (old := old_shards.get((shard.slot, shard.incarnation))) is not None
    }
    found = _skew(after.status)
    load = Load(seconds, cores, processes, workers, shards, found, ())
    return msgspec.structs.replace(load, warnings=tuple(bottlenecks(before.status, after.status, load)))


def bottlenecks(before: NodeStatus, after: NodeStatus, load: Load) -> list[str]:
    """What holds the node up, and what would help."""
    said = []
    whole = sum(process.cpu for process in load.processes.values())
    machine_full = load.cores is not None and whole >= FULL_MACHINE * load.cores
    if machine_full:
        said.append(f"the node uses {whole:.1f} of {load.cores} cores: a larger machine would help, more processes not")
    for shard in after.shards:
        if not shard.open:
            said.append(f"shard {shard.slot} waits for workers: publishes wait for it")
        if _is_full(load, shard.pid) and not machine_full:
            said.append(
                _process_full(f"shard {shard.slot}", load, shard.pid, f"roost scale shards {_next(after.shards)}")
            )
    workers = _workers(after)
    for worker in workers:
        if _is_full(load, worker.pid) and not machine_full:
            remedy = f"roost scale workers {_next(workers)}"
            said.append(_process_full(f"worker {worker.number}", load, worker.pid, remedy))
    if (
        load.skew is not None
        and load.skew >= SKEWED
        and sum(one.connections for one in workers) >= ENOUGH * len(workers)
    ):
        most = max(workers, key=lambda worker: worker.connections)
        said.append(
            f"worker {most.number} has {load.skew:.1f} times the mean of connections: `roost drain` and "
            "`roost drain --off` have them all connect again"
        )
    return said + _refusals(before, after)


def _refusals(before: NodeStatus, after: NodeStatus) -> list[str]:
    """What workers did not do for clients between the two looks."""
    said = []
    old = {worker.number: worker for worker in _workers(before)}
    for worker in _workers(after):
        was = old.get(worker.number)
        if was is None:
            continue
        refused = worker.turned_away + worker.cut - was.turned_away - was.cut
        if refused:
            said.append(
                f"worker {worker.number} turned {refused:,} connections away: raise ROOST_MAX_CONNECTIONS "
                "(`roost config set max_connections N`), ROOST_MAX_CONNECTIONS_PER_ADDRESS, or the number of workers"
            )
        dropped = sum(worker.books.dropped.values()) - sum(was.books.dropped.values())
        if dropped:
            said.append(
                f"worker {worker.number} dropped {dropped:,} messages: some clients do not read as fast as they are "
                "sent to, or have closed"
            )
    return said


def _workers(status: NodeStatus) -> Sequence[WorkerStatus]:
    return status.gateway.workers if status.gateway is not None else ()


def _worker_rates(before: WorkerStatus, after: WorkerStatus, seconds: float) -> WorkerRates:
    return WorkerRates(
        (after.published - before.published) / seconds,
        (after.books.delivered - before.books.delivered) / seconds,
        (sum(after.books.dropped.values()) - sum(before.books.dropped.values())) / seconds,
    )


def _shard_rates(before: ShardStatus, after: ShardStatus, seconds: float) -> ShardRates:
    return ShardRates(
        (after.published - before.published) / seconds, (after.books.fanout - before.books.fanout) / seconds
    )


def _skew(status: NodeStatus) -> float | None:
    connections = [worker.connections for worker in _workers(status)]
    total = sum(connections)
    return max(connections) * len(connections) / total if len(connections) > 1 and total else None


def _is_full(load: Load, pid: int) -> bool:
    return pid in load.processes and load.processes[pid].cpu >= FULL


def _process_full(name: str, load: Load, pid: int, remedy: str) -> str:
    return f"{name} uses {load.processes[pid].cpu:.0%} of a core: more of them would help (`{remedy}`)"


def _next(processes: Sequence[object]) -> int:
    return len(processes) + 1
