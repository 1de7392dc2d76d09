"""What a node does now: what its processes counted from one look at it to the next. Pure."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import NamedTuple

import msgspec

from roost.commands.bridge_activity import BridgeActivity, compare_bridge
from roost.commands.load import ProcessLoad, ShardRates
from roost.shared.histogram import Measured, between, quantile, together
from roost.shared.hottest import HottestTopics, HotTopic
from roost.shared.inspection import SlowestClients
from roost.shared.measurements import (
    BrokerMeasurements,
    NodeMeasurements,
    ShardMeasurements,
    Usage,
    WorkerMeasurements,
)
from roost.shared.resharding import ReshardingStatus
from roost.shared.shard_map import Slot


class Look(NamedTuple):
    """A node at one moment."""

    time: float
    """Seconds, when it was asked."""
    node: NodeMeasurements | None
    """None if there is no gateway that answers."""
    broker: BrokerMeasurements | None
    topics: HottestTopics
    clients: SlowestClients
    troubles: tuple[str, ...] = ()
    """Why something is missing, in sentences."""


class ClientRates(msgspec.Struct, frozen=True):
    """What went between workers and their clients in a second."""

    messages_received: float
    bytes_received: float
    published: float
    deliveries: float
    messages_sent: float
    bytes_sent: float
    joins: float
    """Answered `ok`."""
    dropped: float
    """Not taken by clients' connections."""


class Times(msgspec.Struct, frozen=True):
    """How long something took, in seconds, as far as the ranges of a histogram tell."""

    count: int
    median: float
    p99: float


class WorkerActivity(msgspec.Struct, frozen=True):
    """One worker."""

    name: str
    number: int
    load: ProcessLoad | None
    """None, as the rates are, if this process was not there at the look before."""
    connections: int
    channels: int
    rates: ClientRates | None
    latency: Times | None
    """From a broadcast to its last write here; None if none was timed."""
    loop_lag: Times | None
    slow_clients: int
    waiting_bytes: int
    """What waits for slow clients."""
    log_bytes: int
    """Publishes that are not yet handed over everywhere."""
    waiting_publishes: int
    """Publishes that wait for room in the log."""


class ShardActivity(msgspec.Struct, frozen=True):
    """One shard."""

    slot: Slot
    load: ProcessLoad | None
    open: bool
    topics: int
    subscribers: int
    rates: ShardRates | None
    queued_publishes: int
    outbox_bytes: int
    """Batches that workers have not acknowledged."""


class Activity(msgspec.Struct, frozen=True):
    """The node, between two looks."""

    time: float
    """Unix time."""
    seconds: float
    """Over which rates are taken; 0 at the first look, which has none."""
    version: str | None
    """The gateway's; None without one."""
    ready: bool
    workers: tuple[WorkerActivity, ...]
    shards: tuple[ShardActivity, ...]
    supervisors: dict[str, ProcessLoad]
    """By `broker` and `gateway`."""
    rates: ClientRates | None
    """Of all workers together that were there at both looks."""
    latency: Times | None
    write_time: Times | None
    """What workers took for all that came with a timed broadcast."""
    restarts: dict[str, int]
    """Children that were started again, by `worker` and `shard`."""
    resharding: ReshardingStatus | None
    bridge: BridgeActivity | None
    """Where the node is one of several, and its bridge answered."""
    topics: tuple[HotTopic, ...]
    clients: SlowestClients
    silent: tuple[str, ...]
    """Who did not answer in time: nothing shown is of them."""
    troubles: tuple[str, ...]


def compare(before: Look | None, after: Look, unix: float) -> Activity:
    """What the node did from one look to the next; with None, how it is. `unix` is when that was."""
    seconds = 0.0 if before is None else max(after.time - before.time, 1e-9)
    old_workers = _workers_by_number(before)
    pairs = [(name, old_workers.get(one.number), one) for name, one in _workers(after).items()]
    both = [(old, new) for _, old, new in pairs if old is not None]
    old_shards = {(one.slot, one.incarnation): one for one in _shards(before)}
    return Activity(
        time=unix,
        seconds=seconds,
        version=None if after.node is None else after.node.version,
        ready=after.node is not None and after.node.ready,
        workers=tuple(_worker(name, old, new, seconds) for name, old, new in pairs),
        shards=tuple(_shard(old_shards.get((one.slot, one.incarnation)), one, seconds) for one in _shards(after)),
        supervisors=_supervisors(before, after, seconds),
        rates=_sum([_client_rates(old, new, seconds) for old, new in both]),
        latency=_times([between(old.latency, new.latency) for old, new in both]),
        write_time=_times([between(old.write_time, new.write_time) for old, new in both]),
        restarts=_restarts(after),
        resharding=None if after.broker is None else after.broker.resharding,
        bridge=_bridge(before, after, seconds),
        topics=after.topics.topics,
        clients=after.clients,
        silent=_silent(after),
        troubles=after.troubles,
    )


def _worker(name: str, old: WorkerMeasurements | None, new: WorkerMeasurements, seconds: float) -> WorkerActivity:
    return WorkerActivity(
        name=name,
        number=new.number,
        load=None if old is None else _load(old.usage, new.usage, seconds),
        connections=new.connections,
        channels=new.channels,
        rates=None if old is None else _client_rates(old, new, seconds),
        latency=None if old is None else _times([between(old.latency, new.latency)]),
        loop_lag=None if old is None else _times([between(old.loop_lag, new.loop_lag)]),
        slow_clients=new.slow_clients,
        waiting_bytes=new.waiting_bytes,
        log_bytes=new.log_bytes,
        waiting_publishes=new.waiting_publishes,
    )


def _shard(old: ShardMeasurements | None, new: ShardMeasurements, seconds: float) -> ShardActivity:
    rates = None
    if old is not None:
        rates = ShardRates((new.published - old.published) / seconds, (new.deliveries - old.deliveries) / seconds)
    return ShardActivity(
        slot=new.slot,
        load=None if old is None else _load(old.usage, new.usage, seconds),
        open=new.open,
        topics=new.topics,
        subscribers=new.subscribers,
        rates=rates,
        queued_publishes=new.queued_publishes,
        outbox_bytes=new.outbox_bytes,
    )


def _bridge(before: Look | None, after: Look, seconds: float) -> BridgeActivity | None:
    if after.broker is None or after.broker.bridge is None:
        return None
    old = before.broker.bridge if before is not None and before.broker is not None else None
    return compare_bridge(old, after.broker.bridge, seconds)


def _client_rates(old: WorkerMeasurements, new: WorkerMeasurements, seconds: float) -> ClientRates:
    counts = zip(_counts(old), _counts(new), strict=True)
    return ClientRates(*((now - then) / seconds for then, now in counts))


def _counts(worker: WorkerMeasurements) -> tuple[int, ...]:
    """In the order of `ClientRates`."""
    return (
        worker.messages_received,
        worker.bytes_received,
        worker.published,
        worker.deliveries,
        worker.broadcasts_sent + worker.replies_sent,
        worker.bytes_sent,
        worker.joins.get("ok", 0),
        sum(worker.dropped.values()),
    )


def _sum(rates: Sequence[ClientRates]) -> ClientRates | None:
    """All of them together; None if there are none."""
    if not rates:
        return None
    return ClientRates(*(reduce(add, values) for values in zip(*map(msgspec.structs.astuple, rates), strict=True)))


def _times(measured: Sequence[Measured]) -> Times | None:
    if not measured:
        return None
    whole = together(measured)
    median, p99 = quantile(whole, 0.5), quantile(whole, 0.99)
    return None if median is None or p99 is None else Times(sum(whole.counts), median, p99)


def _supervisors(before: Look | None, after: Look, seconds: float) -> dict[str, ProcessLoad]:
    old = {} if before is None else _usages(before)
    return {name: _load(old[name], used, seconds) for name, used in _usages(after).items() if name in old}


def _usages(look: Look) -> Mapping[str, Usage]:
    found = {"broker": look.broker, "gateway": look.node}
    return {name: one.usage for name, one in found.items() if one is not None}


def _load(old: Usage, new: Usage, seconds: float) -> ProcessLoad:
    return ProcessLoad(max(0.0, new.cpu_seconds - old.cpu_seconds) / seconds, new.resident_bytes)


def _restarts(look: Look) -> dict[str, int]:
    found = {"worker": look.node, "shard": look.broker}
    return {child: one.restarts for child, one in found.items() if one is not None}


def _silent(look: Look) -> tuple[str, ...]:
    named = [*(look.node.silent if look.node else ()), *(look.broker.silent if look.broker else ())]
    return tuple(dict.fromkeys((*named, *look.topics.silent, *look.clients.silent)))


def _workers(look: Look | None) -> Mapping[str, WorkerMeasurements]:
    return look.node.workers if look is not None and look.node is not None else {}


def _workers_by_number(look: Look | None) -> Mapping[int, WorkerMeasurements]:
    return {one.number: one for one in _workers(look).values()}


def _shards(look: Look | None) -> Sequence[ShardMeasurements]:
    return look.broker.shards if look is not None and look.broker is not None else ()
