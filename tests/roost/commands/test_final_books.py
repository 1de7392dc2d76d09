"""The books at the end of a verification: whoever does not tell them is named, as whoever has wrong ones."""

from typing import Any

from roost.commands.final_books import silent_keepers, unbalanced
from roost.shared.books import ShardBooks, WorkerBooks
from roost.shared.control import GatewayStatus, NodeStatus, ShardStatus, WorkerStatus
from roost.shared.shard_map import EMPTY, Slot


def shard(books: ShardBooks) -> ShardStatus:
    return ShardStatus(
        slot=Slot(1, 2),
        incarnation=1,
        pid=1,
        open=True,
        topics=0,
        subscribers=0,
        published=0,
        unencodable=0,
        books=books,
    )


def worker(books: WorkerBooks) -> WorkerStatus:
    return WorkerStatus(
        number=7, pid=1, serving=True, draining=False, connections=0, channels=0, published=0, books=books
    )


def node(**told: Any) -> NodeStatus:
    return NodeStatus("0", 1, 1.0, EMPTY, told.pop("shards", ()), told.pop("gateway", None), **told)


def gateway(*workers: WorkerStatus, silent: tuple[str, ...] = ()) -> GatewayStatus:
    return GatewayStatus(1, "app:endpoint", (), workers, silent)


RIGHT = WorkerBooks(offered=10, delivered=4, duplicate=3, gone=1, early=1, dropped={"latest": 1})
WRONG = WorkerBooks(offered=10, delivered=4, duplicate=3, gone=1, early=1, dropped={})


def test_books_that_balance_are_not_named() -> None:
    status = node(
        shards=(shard(ShardBooks(fanout=3, acknowledged=1, outbox=1, to_dead=1)),), gateway=gateway(worker(RIGHT))
    )
    assert silent_keepers(status) == unbalanced(status) == []


def test_books_that_do_not_are() -> None:
    status = node(
        shards=(shard(ShardBooks(fanout=2000, acknowledged=1, outbox=1, to_dead=0)),), gateway=gateway(worker(WRONG))
    )
    assert unbalanced(status) == [
        "the books of shard 1/2 do not balance: 1,998 deliveries",
        "the books of worker 7 do not balance: 1 deliveries",
    ]


def test_whoever_does_not_answer_is_named_unless_it_keeps_no_books() -> None:
    status = node(gateway=gateway(silent=("worker 1",)), silent=("shard 0/1", "bridge"))
    assert silent_keepers(status) == ["shard 0/1", "worker 1"]


def test_all_workers_are_silent_without_the_gateways_answer() -> None:
    assert silent_keepers(node(silent=("gateway",))) == silent_keepers(node()) == ["gateway"]
