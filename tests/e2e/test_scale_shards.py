"""The number of shards changes while clients talk, and processes die in every phase of it."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from tests.e2e.node import ROOST, ROOT, Node, kill, wait_for
from tests.e2e.phoenix_js import Channel, PhoenixJs
from tests.e2e.test_channels import on_different_workers
from tests.limits import LIMIT


@pytest.fixture
def lone_node() -> Iterator[Node]:
    """Three workers: one more than there are clients."""
    with Node(workers=3).patient() as running:
        yield running


@asynccontextmanager
async def conversation(phoenix: PhoenixJs, node: Node) -> AsyncIterator[list[Channel]]:
    """Two clients on two workers say one number after another; in the end each has heard all, once and in order."""
    here, there = await on_different_workers(phoenix, node, "room:scaling")
    said = 0

    async def talk() -> None:
        nonlocal said
        while True:
            said += 1
            here.send("new_msg", {"here": said})
            there.send("new_msg", {"there": said})
            await asyncio.sleep(0.005)

    talking = asyncio.ensure_future(talk())
    try:
        yield [here, there]
    finally:
        talking.cancel()
    for listener in (here, there):
        await listener.hears("new_msg", {"here": said})
        await listener.hears("new_msg", {"there": said})
        heard = listener.payloads("new_msg")
        for speaker in ("here", "there"):
            assert [payload[speaker] for payload in heard if speaker in payload] == list(range(1, said + 1))


async def scale(node: Node, shards: int) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(node.run, "scale", "shards", str(shards))


def begin_to_scale(node: Node, shards: int) -> "subprocess.Popen[bytes]":
    """Begin a change that will not end before something happens."""
    return subprocess.Popen(
        [ROOST, "scale", "shards", str(shards)],
        env=node.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def shard_map(node: Node) -> Any:
    return json.loads((node.run_dir / "shards.json").read_text())


def incarnation(node: Node, slot: list[int]) -> int:
    found: int = shard_map(node)["epochs"][str(slot[0])][slot[1]]
    return found


def pid_of_shard(node: Node, slot: list[int]) -> int:
    """The process that holds a slot now."""
    epoch, number = slot
    file = f"shard-{epoch}-{number}-{incarnation(node, slot)}"
    path = next(path for path in (node.run_dir / "alive").iterdir() if path.name == file)
    wait_for(lambda: bool(path.read_text().strip()), f"{file} lives")
    return int(path.read_text())


def kill_shard(node: Node, slot: list[int]) -> None:
    """Kill it and wait until the next incarnation is to be started."""
    before = incarnation(node, slot)
    kill(pid_of_shard(node, slot))
    wait_for(lambda: incarnation(node, slot) > before, f"shard {slot} is started again", node.logged)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def newest(node: Node) -> int:
    return max(map(int, shard_map(node)["epochs"]))


async def test_the_number_changes_again_and_again_while_clients_talk(phoenix: PhoenixJs, lone_node: Node) -> None:
    async with conversation(phoenix, lone_node):
        before = 2
        for shards in (4, 1, 5, 3):
            result = await scale(lone_node, shards)
            assert result.returncode == 0, result.stderr
            assert f"{before} -> {shards} shards in" in result.stdout
            before = shards
    status = await asyncio.to_thread(lone_node.status)
    assert [shard["slot"][1] for shard in status["shards"]] == [0, 1, 2]
    await asyncio.to_thread(
        wait_for, lambda: len(list((lone_node.run_dir / "bus").iterdir())) == 3, "old sockets are gone"
    )


async def test_shards_and_a_worker_die_while_the_new_shards_are_prepared(phoenix: PhoenixJs, lone_node: Node) -> None:
    async with conversation(phoenix, lone_node) as (here, there):
        busy = {(await one.push("where"))[1]["worker"] for one in (here, there)}
        frozen = await asyncio.to_thread(another_worker, lone_node, busy)
        with stopped(frozen):
            # The new shards wait for the HELLO of a worker that stands still.
            change = begin_to_scale(lone_node, 3)
            await asyncio.to_thread(wait_for, lambda: len(shard_map(lone_node)["epochs"]) == 2, "it is prepared")
            again = await scale(lone_node, 5)
            assert again.returncode == 1
            assert "is being changed already, from 2 to 3" in again.stderr
            new, old = newest(lone_node), shard_map(lone_node)["publish"]
            assert new != old
            await asyncio.to_thread(kill_shard, lone_node, [new, 1])
            await asyncio.to_thread(kill_shard, lone_node, [old, 0])
            assert shard_map(lone_node)["publish"] == old
            kill(frozen)
        output, _ = await asyncio.to_thread(change.communicate, timeout=LIMIT)
        assert change.returncode == 0, output
    assert shard_map(lone_node)["epochs"].keys() == {str(new)}


def another_worker(node: Node, busy: set[int]) -> int:
    """The process of a worker on which no client of this test is."""
    workers = {worker["number"]: worker["pid"] for worker in node.status()["gateway"]["workers"]}
    (pid,) = [pid for number, pid in workers.items() if number not in busy]
    assert isinstance(pid, int)
    return pid


async def test_shards_and_a_worker_die_while_workers_change_over(phoenix: PhoenixJs, lone_node: Node) -> None:
    assert lone_node.gateway is not None
    async with conversation(phoenix, lone_node) as (here, there):
        busy = {(await one.push("where"))[1]["worker"] for one in (here, there)}
        idle = await asyncio.to_thread(another_worker, lone_node, busy)
        with stopped(lone_node.gateway.pid):
            # What workers report does not come through, so the old epoch may not go.
            change = begin_to_scale(lone_node, 3)
            await asyncio.to_thread(
                wait_for, lambda: shard_map(lone_node)["publish"] == newest(lone_node) > 0, "it is committed"
            )
            new = newest(lone_node)
            kill(idle)
            await asyncio.to_thread(kill_shard, lone_node, [new, 2])
            await asyncio.to_thread(kill_shard, lone_node, [min(map(int, shard_map(lone_node)["epochs"])), 1])
            assert len(shard_map(lone_node)["epochs"]) == 2
        output, _ = await asyncio.to_thread(change.communicate, timeout=LIMIT)
        assert change.returncode == 0, output
    assert shard_map(lone_node)["epochs"].keys() == {str(new)}


@pytest.mark.parametrize("committed", [False, True], ids=["prepared", "changing over"])
async def test_another_broker_carries_a_change_on(phoenix: PhoenixJs, lone_node: Node, *, committed: bool) -> None:
    """Its shards die with the first one, whatever the change was waiting for."""
    assert lone_node.broker is not None
    assert lone_node.gateway is not None
    async with conversation(phoenix, lone_node) as (here, there):
        busy = {(await one.push("where"))[1]["worker"] for one in (here, there)}
        frozen = lone_node.gateway.pid if committed else await asyncio.to_thread(another_worker, lone_node, busy)

        def under_way() -> bool:
            written = shard_map(lone_node)
            return len(written["epochs"]) == 2 and (written["publish"] == newest(lone_node)) == committed

        with stopped(frozen):
            command = begin_to_scale(lone_node, 3)
            await asyncio.to_thread(wait_for, under_way, "the change is under way")
            new = newest(lone_node)
            kill(lone_node.broker.pid)
            lone_node.broker.wait()
            output, _ = await asyncio.to_thread(command.communicate, timeout=20)
            assert command.returncode == 1, output
            lone_node.start_broker()
        await asyncio.to_thread(
            wait_for, lambda: shard_map(lone_node)["epochs"].keys() == {str(new)}, "it is done", lone_node.logged
        )


async def test_a_change_is_given_up_when_a_new_shard_cannot_start(phoenix: PhoenixJs, lone_node: Node) -> None:
    epoch = shard_map(lone_node)["next_epoch"]
    for number in range(1, 40):  # nobody can bind here
        (lone_node.run_dir / "bus" / f"{epoch}-1-{number}.sock").mkdir()
    async with conversation(phoenix, lone_node):
        result = await scale(lone_node, 3)
        assert result.returncode == 1
        assert f"there are 2 shards as before: shard {epoch}/1 died 5 times" in result.stderr
        later = await scale(lone_node, 1)
        assert later.returncode == 0, later.stderr


async def test_the_number_survives_the_death_of_all_shards_and_of_the_broker(
    phoenix: PhoenixJs, lone_node: Node
) -> None:
    assert lone_node.broker is not None
    async with conversation(phoenix, lone_node):
        assert (await scale(lone_node, 3)).returncode == 0
        epoch = newest(lone_node)
        for number in range(3):
            await asyncio.to_thread(kill_shard, lone_node, [epoch, number])
        kill(lone_node.broker.pid)
        lone_node.broker.wait()
        lone_node.start_broker()
    assert len(shard_map(lone_node)["epochs"].pop(str(epoch))) == 3
    slots = [[epoch, number] for number in range(3)]
    await asyncio.to_thread(
        wait_for, lambda: [shard["slot"] for shard in lone_node.status()["shards"]] == slots, "all shards are back"
    )


async def test_one_shard_too_many_is_refused(lone_node: Node) -> None:
    for shards in (0, 65):
        assert (await scale(lone_node, shards)).returncode == 2
