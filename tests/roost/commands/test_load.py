"""Rates are differences, and what holds a node up is said where it does, and only there."""

from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from roost.commands.load import Look, compare, pids, used_elsewhere
from roost.shared.books import ShardBooks, WorkerBooks
from roost.shared.control import GatewayStatus, NodeStatus, ShardStatus, WorkerStatus
from roost.shared.measurements import (
    BrokerMeasurements,
    NodeMeasurements,
    ShardMeasurements,
    Usage,
    WorkerMeasurements,
)
from roost.shared.shard_map import ShardMap, Slot

CORES = 8
T = TypeVar("T")


def shard(number: int = 0, *, published: int = 0, fanout: int = 0, open_: bool = True) -> ShardStatus:
    return ShardStatus(Slot(0, number), 1, 100 + number, open_, 1, 1, published, 0, ShardBooks(fanout, fanout, 0, 0))


def worker(
    number: int = 1, *, connections: int = 0, published: int = 0, delivered: int = 0, dropped: int = 0, refused: int = 0
) -> WorkerStatus:
    books = WorkerBooks(delivered + dropped, delivered, 0, 0, 0, {"slow": dropped} if dropped else {})
    return WorkerStatus(
        number=number,
        pid=200 + number,
        serving=True,
        draining=False,
        connections=connections,
        channels=0,
        published=published,
        books=books,
        turned_away=refused,
    )


def node(shards: Sequence[ShardStatus] = (), workers: Sequence[WorkerStatus] = ()) -> NodeStatus:
    gateway = GatewayStatus(2, "a:b", (), tuple(workers))
    return NodeStatus("1", 1, 1.0, ShardMap(1, 1, 0, {0: (1,)}), tuple(shards), gateway)


def look(time: float, status: NodeStatus, share: dict[int, float] | None = None) -> Look:
    """At that time, with processes that have used that share of a core ever since 0."""
    shares = share or {}
    return Look(time, status, {pid: Usage(shares.get(pid, 0.0) * time, 1000) for pid in pids(status)})


def warnings(before: NodeStatus, after: NodeStatus, share: dict[int, float] | None = None) -> tuple[str, ...]:
    return compare(look(1, before, share), look(2, after, share), CORES).warnings


counts = st.integers(0, 10**9)


@given(counts, counts, counts, counts, st.floats(0.1, 60))
def test_rates_are_what_was_done_by_the_seconds(old: int, more: int, fanout: int, sent: int, seconds: float) -> None:
    before = node([shard(published=old)], [worker(delivered=old)])
    after = node([shard(published=old + more, fanout=fanout)], [worker(delivered=old + sent, published=more)])
    load = compare(look(1, before), look(1 + seconds, after), CORES)
    assert abs(load.shards["0/0"].published * load.seconds - more) < 1
    assert abs(load.shards["0/0"].deliveries * load.seconds - fanout) < 1
    assert abs(load.workers[1].delivered * load.seconds - sent) < 1
    assert abs(load.workers[1].published * load.seconds - more) < 1


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=8))
def test_skew_is_the_fullest_by_the_mean(connections: list[int]) -> None:
    status = node(workers=[worker(at, connections=many) for at, many in enumerate(connections)])
    skew = compare(look(1, status), look(2, status), CORES).skew
    if not any(connections):
        assert skew is None
    else:
        assert skew is not None
        assert 1 <= skew <= len(connections) + 1e-9
        assert abs(skew * sum(connections) - max(connections) * len(connections)) < 1e-6


def test_a_node_at_rest_has_nothing_to_say() -> None:
    quiet = node([shard(0), shard(1)], [worker(1, connections=500), worker(2, connections=480)])
    assert warnings(quiet, quiet, {101: 0.5, 201: 0.85}) == ()
    assert compare(look(1, quiet), look(1, quiet), CORES).warnings == ()


def test_a_full_process_is_named_with_what_helps() -> None:
    busy = node([shard(0), shard(1)], [worker(1), worker(2)])
    assert warnings(busy, busy, {101: 0.97}) == (
        "shard 0/1 uses 97% of a core: more of them would help (`roost scale shards 3`)",
    )
    assert warnings(busy, busy, {202: 0.97}) == (
        "worker 2 uses 97% of a core: more of them would help (`roost scale workers 3`)",
    )


def test_on_a_full_machine_no_more_processes_are_advised() -> None:
    busy = node([shard(at) for at in range(4)], [worker(at) for at in range(4)])
    (said,) = warnings(busy, busy, dict.fromkeys(pids(busy), 0.99))
    assert "larger machine" in said


def test_what_clients_miss_is_said_only_while_it_happens() -> None:
    before = node([shard()], [worker(dropped=5, refused=7)])
    after = node([shard()], [worker(dropped=8, refused=9)])
    refused, dropped = warnings(before, after)
    assert refused.startswith("worker 1 turned 2 connections away")
    assert dropped.startswith("worker 1 dropped 3 messages")
    assert warnings(after, after) == ()


def test_an_uneven_spread_counts_from_enough_connections_on() -> None:
    few = node(workers=[worker(1, connections=9), worker(2, connections=1)])
    many = node(workers=[worker(1, connections=900), worker(2, connections=100)])
    assert warnings(few, few) == ()
    (said,) = warnings(many, many)
    assert said.startswith("worker 1 has 1.8 times")


def test_a_shard_that_waits_is_named() -> None:
    waiting = node([shard(open_=False)])
    assert warnings(waiting, waiting) == ("shard 0/0 waits for workers: publishes wait for it",)


def test_processes_that_are_new_have_no_rates() -> None:
    load = compare(look(1, node([shard(0)], [worker(1)])), look(2, node([shard(1)], [worker(2)])), CORES)
    assert (load.workers, load.shards) == ({}, {})


def measured(kind: type[T], **known: Any) -> T:
    """Measurements of which only some matter."""
    return kind(**{place.name: 0 for place in fields(kind)} | known)  # type: ignore[arg-type]


def test_what_another_machine_is_used_is_what_its_processes_measured_themselves() -> None:
    usage = iter(Usage(float(number), 1000 * number) for number in range(1, 9))
    shards = tuple(
        measured(ShardMeasurements, slot=Slot(0, number), incarnation=incarnation, usage=next(usage))
        for number, incarnation in ((0, 1), (1, 2))
    )
    workers = {f"worker {number}": measured(WorkerMeasurements, number=number, usage=next(usage)) for number in (1, 9)}
    broker = measured(BrokerMeasurements, usage=next(usage), shards=shards)
    whole = measured(NodeMeasurements, usage=next(usage), workers=workers, broker=broker)
    used = used_elsewhere(node([shard(0), shard(1)], [worker(1), worker(2)]), whole)
    assert used == {100: Usage(1, 1000), 201: Usage(3, 3000), 1: Usage(5, 5000), 2: Usage(6, 6000)}


def test_how_full_another_machine_is_nobody_claims_to_know() -> None:
    full = compare(look(1, node([shard()]), {100: 8.0}), look(2, node([shard()]), {100: 8.0}), None)
    assert [sentence for sentence in full.warnings if "larger machine" in sentence] == []
    assert any(sentence.startswith("shard 0/0 uses 800% of a core") for sentence in full.warnings)
