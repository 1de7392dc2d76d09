"""Makes of two measurements of a node what is to be seen of it, and what changed from the one to the other. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from roost.gateway.admin.dashboard.overview import Latency, Overview, ProcessRow, Rates, ShardRow, WorkerRow
from roost.shared.histogram import Measured, between, quantile, together
from roost.shared.measurements import NodeMeasurements, ShardMeasurements, Usage, WorkerMeasurements

if TYPE_CHECKING:
    from roost.shared.shard_map import Slot


class Look(NamedTuple):
    """The node as it was measured at one moment."""

    time: float
    """By a clock that never goes back."""
    node: NodeMeasurements


BRIDGE: Final = "bridge"
SHARD: Final = "shard "
"""Of which silent processes the names are, or how they begin."""


def overview(before: Look | None, after: Look, unix: float, why_not_ready: str) -> Overview:
    """What is to be seen of the last look, with the rates since the one before, if there was one."""
    node, broker = after.node, after.node.broker
    since = _Since(before, after)
    return Overview(
        time=unix,
        version=node.version,
        uptime=node.uptime,
        why_not_ready=why_not_ready,
        silent=(*node.silent, *(broker.silent if broker is not None else ())),
        connections=sum(worker.connections for worker in node.workers.values()),
        channels=sum(worker.channels for worker in node.workers.values()),
        epoch=broker.epoch if broker is not None else None,
        resharding=broker.resharding if broker is not None else None,
        cluster=broker.bridge.status if broker is not None and broker.bridge is not None else None,
        rates=since.rates() if before is not None else None,
        latency=since.latency(),
        supervisors=tuple(since.supervisors()),
        workers=tuple(sorted(since.workers(), key=lambda row: _number(row.name))),
        shards=tuple(sorted(since.shards(), key=lambda row: (row.epoch, row.number))),
    )


class _Since:
    """What changed from one look to the next."""

    def __init__(self, before: Look | None, after: Look) -> None:
        self._seconds = max(after.time - before.time, 1e-9) if before is not None else 0.0
        self._after = after.node
        self._workers: Mapping[str, WorkerMeasurements] = before.node.workers if before is not None else {}
        self._before = before.node if before is not None else None
        shards = before.node.broker.shards if before is not None and before.node.broker is not None else ()
        self._shards: Mapping[Slot, ShardMeasurements] = {shard.slot: shard for shard in shards}

    def rates(self) -> Rates:
        total = self._worker_rate
        return Rates(
            received=total(lambda one: one.messages_received),
            published=total(lambda one: one.published),
            delivered=total(lambda one: one.deliveries),
            dropped=total(lambda one: sum(one.dropped.values())),
            joined=total(lambda one: one.joins.get("ok", 0)),
            bytes_received=total(lambda one: one.bytes_received),
            bytes_sent=total(lambda one: one.bytes_sent),
        )

    def latency(self) -> Latency | None:
        grown = [self._grown(name, one, lambda measured: measured.latency) for name, one in self._after.workers.items()]
        if not grown:
            return None
        whole = together(grown)
        median, p99 = quantile(whole, 0.5), quantile(whole, 0.99)
        return None if median is None or p99 is None else Latency(median, p99)

    def supervisors(self) -> Iterable[ProcessRow]:
        yield self._supervisor("gateway", self._after.usage, self._before.usage if self._before else None)
        broker = self._after.broker
        before = self._before.broker if self._before else None
        yield self._supervisor("broker", broker.usage if broker else None, before.usage if before else None)
        if broker is not None and (broker.bridge is not None or BRIDGE in broker.silent):
            was = before.bridge if before else None
            now = broker.bridge
            yield self._supervisor(BRIDGE, now.usage if now else None, was.usage if was else None)

    def workers(self) -> Iterable[WorkerRow]:
        for name, one in self._after.workers.items():
            before = self._workers.get(name)
            yield WorkerRow(
                name=name,
                up=True,
                cpu=self._cpu(one.usage, before.usage if before else None),
                memory=one.usage.resident_bytes,
                connections=one.connections,
                channels=one.channels,
                delivered=self._rate(one.deliveries, before.deliveries if before else None),
                slow_clients=one.slow_clients,
                waiting_bytes=one.waiting_bytes,
                lag=_longest(self._grown(name, one, lambda measured: measured.loop_lag)),
            )
        yield from (WorkerRow(name, up=False) for name in self._after.silent if name.startswith("worker "))

    def shards(self) -> Iterable[ShardRow]:
        broker = self._after.broker
        if broker is None:
            return
        for one in broker.shards:
            before = self._shards.get(one.slot)
            yield ShardRow(
                epoch=one.slot.epoch,
                number=one.slot.number,
                up=True,
                open=one.open,
                cpu=self._cpu(one.usage, before.usage if before else None),
                memory=one.usage.resident_bytes,
                topics=one.topics,
                subscribers=one.subscribers,
                published=self._rate(one.published, before.published if before else None),
                delivered=self._rate(one.deliveries, before.deliveries if before else None),
                queued_bytes=one.outbox_bytes,
            )
        for name in broker.silent:
            if name.startswith(SHARD):
                epoch, _, number = name.removeprefix(SHARD).partition("/")
                yield ShardRow(int(epoch), int(number), up=False)

    def _supervisor(self, name: str, usage: Usage | None, before: Usage | None) -> ProcessRow:
        if usage is None:
            return ProcessRow(name, up=False, cpu=None, memory=0)
        return ProcessRow(name, up=True, cpu=self._cpu(usage, before), memory=usage.resident_bytes)

    def _cpu(self, usage: Usage, before: Usage | None) -> float | None:
        return self._rate(usage.cpu_seconds, before.cpu_seconds if before else None)

    def _worker_rate(self, read: Callable[[WorkerMeasurements], float]) -> float:
        """Of those that were there before: one that was away for a while would seem to have done it all now."""
        rates = (
            self._rate(read(one), read(before))
            for name, one in self._after.workers.items()
            if (before := self._workers.get(name)) is not None
        )
        return sum(rate or 0.0 for rate in rates)

    def _rate(self, value: float, before: float | None) -> float | None:
        return None if before is None else grown(before, value) / self._seconds

    def _grown(self, name: str, one: WorkerMeasurements, read: Callable[[WorkerMeasurements], Measured]) -> Measured:
        """What came into a histogram; nothing is known of a worker that was not there before."""
        now, before = read(one), self._workers.get(name)
        if before is None:
            return between(now, now)
        was = read(before)
        return now if _begun_anew(was, now) else between(was, now)


def grown(before: float, after: float) -> float:
    """How much a counter has counted; one that is lower than before was begun anew by another process."""
    return after if after < before else after - before


def _begun_anew(was: Measured, now: Measured) -> bool:
    """Whether a histogram is another process's: one only ever counts more."""
    return any(new < old for old, new in zip(was.counts, now.counts, strict=True))


def _longest(measured: Measured) -> float | None:
    """The highest bound of a range into which something fell."""
    places = [at for at, count in enumerate(measured.counts) if count]
    return measured.bounds[min(places[-1], len(measured.bounds) - 1)] if places else None


def _number(name: str) -> int:
    return int(name.rpartition(" ")[2])
