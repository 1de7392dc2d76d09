"""What is to be seen of a node: sums, rates, latency, and who is silent."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from roost.gateway.admin.dashboard.comparison import Look, grown, overview
from roost.gateway.admin.dashboard.overview import Overview
from roost.shared.histogram import SECONDS
from roost.shared.measurements import NodeMeasurements, Usage, WorkerMeasurements
from roost.shared.shard_map import Slot
from tests.gateway.admin.node import BROKER, NODE, SHARD, WORKER, measured


def seen(before: NodeMeasurements | None, after: NodeMeasurements, seconds: float = 2.0) -> Overview:
    return overview(None if before is None else Look(10.0, before), Look(10.0 + seconds, after), 1e9, "")


def later(worker: WorkerMeasurements = WORKER) -> WorkerMeasurements:
    return replace(
        worker,
        usage=Usage(worker.usage.cpu_seconds + 1.0, 8192),
        messages_received=worker.messages_received + 10,
        published=worker.published + 4,
        deliveries=worker.deliveries + 40,
        dropped={"latest": 14, "closed": 17},
        bytes_sent=worker.bytes_sent + 1000,
        latency=measured(SECONDS, 0.0004, 0.002, 20.0, *[0.003] * 9, 0.2),
    )


def test_a_first_look_has_no_rates() -> None:
    first = seen(None, NODE)
    assert (first.rates, first.latency) == (None, None)
    assert (first.connections, first.channels, first.epoch) == (3, 4, 1)
    assert [row.cpu for row in first.workers] == [None, None]


def test_rates_are_what_changed_by_the_time_between() -> None:
    second = seen(NODE, replace(NODE, workers={"worker 0": later()}))
    rates = second.rates
    assert rates is not None
    assert (rates.received, rates.published, rates.delivered, rates.dropped) == (5, 2, 20, 1)
    assert (rates.bytes_sent, rates.joined) == (500, 0)
    row = second.workers[0]
    assert (row.name, row.up, row.cpu, row.memory, row.delivered) == ("worker 0", True, 0.5, 8192, 20)
    assert second.point.rates is rates


def test_latency_is_that_of_what_came_since() -> None:
    latency = seen(NODE, replace(NODE, workers={"worker 0": later()})).latency
    assert latency is not None
    assert 0.0025 < latency.median < 0.005
    assert 0.1 < latency.p99 <= 0.25
    assert seen(NODE, NODE).latency is None


def test_the_latency_of_all_workers_is_one() -> None:
    before = replace(NODE, workers={"worker 0": WORKER, "worker 1": WORKER})
    slow = replace(WORKER, latency=measured(SECONDS, 0.0004, 0.002, 20.0, *[0.9] * 30))
    latency = seen(before, replace(NODE, workers={"worker 0": later(), "worker 1": slow})).latency
    assert latency is not None
    assert 0.5 < latency.median <= 1.0


def test_a_worker_that_was_started_again_counts_from_nothing() -> None:
    fresh = replace(
        WORKER, deliveries=6, latency=measured(SECONDS, 0.2), usage=Usage(0.5, 1), messages_received=2, published=0
    )
    second = seen(NODE, replace(NODE, workers={"worker 0": fresh}))
    assert second.rates is not None
    assert (second.rates.delivered, second.rates.received, second.workers[0].cpu) == (3, 1, 0.25)
    assert second.latency is not None
    assert second.latency.median > 0.1


def test_a_worker_that_answers_again_has_not_done_it_all_just_now() -> None:
    before = replace(NODE, workers={})
    second = seen(before, NODE)
    assert second.rates is not None
    assert second.rates.delivered == 0
    assert second.workers[0].delivered is None
    assert second.latency is None


def test_who_is_silent_keeps_a_place() -> None:
    shown = seen(NODE, NODE)
    assert shown.silent == ("worker 1", "shard 1/1")
    assert [(row.name, row.up) for row in shown.workers] == [("worker 0", True), ("worker 1", False)]
    assert [(row.epoch, row.number, row.up) for row in shown.shards] == [(1, 0, True), (1, 1, False)]


def test_without_a_broker_there_are_no_shards() -> None:
    shown = overview(Look(1.0, NODE), Look(2.0, replace(NODE, broker=None, silent=("broker",))), 1e9, "no broker")
    assert (shown.shards, shown.epoch, shown.resharding, shown.why_not_ready) == ((), None, None, "no broker")
    assert [(row.name, row.up) for row in shown.supervisors] == [("gateway", True), ("broker", False)]


def test_the_bridge_of_a_node_among_several_has_a_place() -> None:
    shown = seen(NODE, NODE)
    assert shown.cluster is not None
    assert shown.cluster.engine == "nats://localhost"
    assert [(row.name, row.up, row.cpu) for row in shown.supervisors][2:] == [("bridge", True, 0.0)]
    silent = seen(NODE, replace(NODE, broker=replace(BROKER, bridge=None, silent=("shard 1/1", "bridge"))))
    assert (silent.cluster, silent.supervisors[2].up) == (None, False)
    assert [(row.number, row.up) for row in silent.shards] == [(0, True), (1, False)]
    alone = seen(NODE, replace(NODE, broker=replace(BROKER, bridge=None)))
    assert [row.name for row in alone.supervisors] == ["gateway", "broker"]


def test_shards_of_several_epochs_stand_in_order() -> None:
    slots = [Slot(2, 0), Slot(1, 10), Slot(1, 9)]
    broker = replace(BROKER, shards=tuple(replace(SHARD, slot=slot) for slot in slots), silent=())
    shown = seen(None, replace(NODE, broker=broker))
    assert [(row.epoch, row.number) for row in shown.shards] == [(1, 9), (1, 10), (2, 0)]


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_counters_never_go_back(before: int, more: int) -> None:
    assert grown(before, before + more) == more
    assert grown(before + 1, 0) == 0
