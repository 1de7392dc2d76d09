"""Rates are differences of the same process's counts; what is missing is not shown as nothing."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from roost.commands.activity import Activity, Look, compare
from roost.shared.histogram import SECONDS
from roost.shared.hottest import HottestTopics, HotTopic
from roost.shared.inspection import SlowestClients
from roost.shared.measurements import BrokerMeasurements, NodeMeasurements, ShardMeasurements, Usage, WorkerMeasurements
from tests.gateway.admin.node import BROKER, NODE, SHARD, WORKER, measured

counts = st.integers(0, 10**9)


def look(
    time: float,
    workers: dict[str, WorkerMeasurements] | None = None,
    shards: tuple[ShardMeasurements, ...] = (),
    silent: tuple[str, ...] = (),
) -> Look:
    broker: BrokerMeasurements = replace(BROKER, shards=shards, silent=())
    node: NodeMeasurements = replace(NODE, workers=workers or {}, broker=broker, silent=silent)
    return Look(time, node, broker, HottestTopics((HotTopic("room", 1.0, 1.0, 0.0),)), SlowestClients(0, 0, (), silent))


def between(before: WorkerMeasurements, after: WorkerMeasurements, seconds: float = 2.0) -> Activity:
    return compare(look(5, {"worker 0": before}), look(5 + seconds, {"worker 0": after}), 0.0)


@given(counts, counts, st.floats(0.1, 60))
def test_rates_are_what_was_counted_by_the_seconds(old: int, more: int, seconds: float) -> None:
    before = replace(WORKER, deliveries=old, joins={"ok": old, "error": 1}, broadcasts_sent=old, dropped={})
    after = replace(
        WORKER, deliveries=old + more, joins={"ok": old + 1}, broadcasts_sent=old + more, dropped={"latest": more}
    )
    activity = between(before, after, seconds)
    (worker,) = activity.workers
    assert worker.rates is not None
    assert worker.rates == activity.rates
    assert abs(worker.rates.deliveries * activity.seconds - more) < 1
    assert abs(worker.rates.messages_sent * activity.seconds - more) < 1
    assert abs(worker.rates.joins * activity.seconds - 1) < 1e-3
    assert abs(worker.rates.dropped * activity.seconds - more) < 1
    assert (worker.rates.bytes_received, worker.connections) == (0, WORKER.connections)


def test_latency_is_that_of_the_time_between() -> None:
    before = replace(WORKER, latency=measured(SECONDS, *[9.0] * 100))
    after = replace(WORKER, latency=measured(SECONDS, *[9.0] * 100, *[0.0009] * 10))
    activity = between(before, after)
    assert activity.latency == activity.workers[0].latency
    assert activity.latency is not None
    assert activity.latency.count == 10
    assert 0.0005 < activity.latency.median < activity.latency.p99 <= 0.001
    assert between(after, after).latency is None


def test_a_process_that_was_started_again_has_no_rates_at_first_and_no_negative_ones() -> None:
    again = replace(WORKER, number=9, deliveries=0)
    activity = between(WORKER, again)
    (worker,) = activity.workers
    assert (worker.number, worker.rates, worker.load, worker.latency) == (9, None, None, None)
    assert activity.rates is None
    shard = replace(SHARD, incarnation=2, published=0)
    (row,) = compare(look(1, shards=(SHARD,)), look(2, shards=(shard,)), 0.0).shards
    assert (row.rates, row.load, row.topics) == (None, None, SHARD.topics)
    later = replace(shard, published=10, deliveries=SHARD.deliveries + 20, usage=Usage(2.0, 7))
    (row,) = compare(look(1, shards=(shard,)), look(2, shards=(later,)), 0.0).shards
    assert row.rates is not None
    assert row.load is not None
    assert (row.rates.published, row.rates.deliveries, row.load.cpu, row.load.memory) == (10, 20, 0.5, 7)


def test_of_several_workers_those_count_that_were_there_all_the_while() -> None:
    old, new = replace(WORKER, number=1), replace(WORKER, number=2)
    more = replace(old, published=old.published + 6)
    activity = compare(look(1, {"worker 0": old}), look(3, {"worker 0": more, "worker 1": new}), 0.0)
    assert activity.rates is not None
    assert activity.rates.published == 3
    assert [worker.rates is None for worker in activity.workers] == [False, True]
    assert (activity.supervisors["gateway"].cpu, activity.supervisors["broker"].memory) == (0, 4096)


def test_the_first_look_has_no_rates() -> None:
    activity = compare(None, look(7, {"worker 0": WORKER}, (SHARD,)), 3.5)
    assert (activity.time, activity.seconds, activity.rates, activity.supervisors) == (3.5, 0, None, {})
    assert activity.workers[0].rates is None
    assert [topic.topic for topic in activity.topics] == ["room"]


def test_who_is_silent_is_named_once_and_a_gateway_may_be_missing() -> None:
    activity = compare(None, look(1, {}, silent=("worker 1",)), 0.0)
    assert activity.silent == ("worker 1",)
    alone = look(2, shards=(SHARD,))._replace(node=None, troubles=("there is no gateway",))
    activity = compare(look(1, {"worker 0": WORKER}, (SHARD,)), alone, 0.0)
    assert (activity.version, activity.ready, activity.workers) == (None, False, ())
    assert activity.shards[0].rates is not None
    assert activity.troubles == ("there is no gateway",)
    assert "gateway" not in activity.supervisors
