"""Books: what is missing in them."""

import msgspec
import pytest

from roost.shared.books import ShardBooks, WorkerBooks

SHARD = ShardBooks(fanout=10, acknowledged=7, outbox=2, to_dead=1)
WORKER = WorkerBooks(offered=21, delivered=11, duplicate=1, gone=2, early=3, dropped={"one": 1, "other": 3})


def test_what_is_accounted_for_is_not_missing() -> None:
    assert SHARD.missing() == WORKER.missing() == 0


@pytest.mark.parametrize("name", ["acknowledged", "outbox", "to_dead"])
def test_every_column_of_a_shard_counts(name: str) -> None:
    assert msgspec.structs.replace(SHARD, **{name: 0}).missing() == getattr(SHARD, name)


@pytest.mark.parametrize("name", ["delivered", "duplicate", "gone", "early"])
def test_every_column_of_a_worker_counts(name: str) -> None:
    assert msgspec.structs.replace(WORKER, **{name: 0}).missing() == getattr(WORKER, name)


def test_every_reason_counts() -> None:
    assert msgspec.structs.replace(WORKER, dropped={"one": 1}).missing() == 3
