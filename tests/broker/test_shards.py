"""The shard processes of a node when a change of their number cannot go on: real processes, without workers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from roost.broker.pool import fresh
from roost.broker.shards import Shards
from roost.shared.config import LogSettings
from roost.shared.link import Refused
from roost.shared.resharding import ReshardingPhase
from roost.shared.run_directory import RunDirectory, worker_name
from roost.shared.shard_map import EMPTY, ShardMap, Slot
from tests.e2e.node import kill
from tests.limits import LIMIT


@asynccontextmanager
async def one_shard(path: Path) -> AsyncIterator[tuple[Shards, RunDirectory]]:
    """A node of one shard."""
    run_dir = RunDirectory.open(str(path))
    first = fresh(EMPTY, 1)
    run_dir.write_map(first)
    announced: list[ShardMap] = []
    shards = Shards(run_dir, first, announced.append, stall_limit=LIMIT, logs=LogSettings())
    shards.start()
    try:
        await until(lambda: bool(run_dir.live_incarnations(Slot(0, 0))))
        yield shards, run_dir
        assert announced[-1] == shards.map == run_dir.read_map()
    finally:
        await shards.stop()


@contextmanager
def full_disk(run_dir: RunDirectory) -> Iterator[None]:
    """The map cannot be written: something is in the way of its new file."""
    obstacle = run_dir.path / "shards.json.new"
    obstacle.mkdir()
    yield
    obstacle.rmdir()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            await asyncio.sleep(0.01)


def phase(shards: Shards) -> ReshardingPhase:
    assert shards.resharding is not None
    return shards.resharding.phase


async def test_a_change_is_refused_when_the_map_cannot_be_written(tmp_path: Path) -> None:
    async with one_shard(tmp_path) as (shards, run_dir):
        before = shards.map
        with full_disk(run_dir), pytest.raises(Refused, match="the shard map cannot be written: "):
            shards.scale(2)
        assert shards.map == before
        assert shards.resharding is None
        shards.scale(2)
        await until(lambda: phase(shards) is ReshardingPhase.DONE)


async def test_a_change_waits_while_the_map_cannot_be_written(tmp_path: Path) -> None:
    async with one_shard(tmp_path) as (shards, run_dir):
        worker = run_dir.live(worker_name(1))  # the new shard waits for its HELLO
        shards.scale(1)
        await until(lambda: bool(run_dir.live_incarnations(Slot(1, 0))))
        with full_disk(run_dir):
            worker.release()
            await until(lambda: shards._unwritten)
            assert phase(shards) is ReshardingPhase.PREPARING
        await until(lambda: phase(shards) is ReshardingPhase.DONE)
        assert shards.map.epochs.keys() == {1}


async def test_a_shard_that_died_is_started_again_when_the_map_can_be_written(tmp_path: Path) -> None:
    async with one_shard(tmp_path) as (shards, run_dir):
        (incarnation,) = run_dir.live_incarnations(Slot(0, 0))
        with full_disk(run_dir):
            kill(int((tmp_path / "alive" / f"shard-0-0-{incarnation}").read_text()))
            await until(lambda: shards._unwritten)
        await until(lambda: run_dir.live_incarnations(Slot(0, 0)) == {incarnation + 1})
        assert not shards.gave_up.done()


async def test_a_change_is_given_up_when_a_new_shard_does_not_open_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with one_shard(tmp_path) as (shards, run_dir):
        worker = run_dir.live(worker_name(1))  # which never says HELLO
        shards.scale(2)
        await until(lambda: all(run_dir.live_incarnations(Slot(1, number)) for number in range(2)))
        with monkeypatch.context() as patched:
            patched.setattr("roost.broker.shards.RESHARD_LIMIT", 0.0)
            await until(lambda: phase(shards) is ReshardingPhase.ABORTED)
        worker.release()
        assert shards.resharding is not None
        assert shards.resharding.reason == "shard 1/0, shard 1/1 did not open within 0 s"
        assert shards.map.epochs.keys() == {0}
        assert not run_dir.live_incarnations(Slot(1, 0)) | run_dir.live_incarnations(Slot(1, 1))
        assert shards.scale(2).epoch == 2  # no number comes again
        await until(lambda: phase(shards) is ReshardingPhase.DONE)
