"""A process that lives but does nothing: found, killed, started again, and the node goes on."""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.node import Node, lives, wait_for
from tests.e2e.phoenix_js import Channel, PhoenixJs
from tests.e2e.test_channels import on_different_workers

STALL_LIMIT = 3.0
KILLED = "did not answer for 3 s and was killed; starting it again"


@pytest.fixture
def stalling_node() -> Iterator[Node]:
    """A node with a short stall limit, and an application that can block its loop."""
    node = Node("tests.applications.stalls:endpoint")
    node.environment["ROOST_STALL_LIMIT"] = str(STALL_LIMIT)
    with node:
        yield node


async def hear_all(channels: list[Channel], numbers: range) -> None:
    """Each hears each number, once and in order."""
    last = {"n": numbers[-1]}
    await asyncio.gather(*(channel.hears("new_msg", last) for channel in channels))
    for channel in channels:
        assert channel.payloads("new_msg") == [{"n": number} for number in numbers]


async def process_of(node: Node, channel: Channel) -> int:
    """The pid of the worker that a channel is on."""
    number = (await channel.push("where"))[1]["worker"]
    workers = (await asyncio.to_thread(node.status))["gateway"]["workers"]
    return next(int(worker["pid"]) for worker in workers if worker["number"] == number)


async def test_nothing_is_lost_when_a_shard_is_suspended(phoenix: PhoenixJs, stalling_node: Node) -> None:
    here, there = await on_different_workers(phoenix, stalling_node, "room:shards")
    shard = (await asyncio.to_thread(stalling_node.status))["shards"][0]
    here.send("new_msg", {"n": 0})
    await there.hears("new_msg", {"n": 0})
    os.kill(shard["pid"], signal.SIGSTOP)
    for number in range(1, 21):
        here.send("new_msg", {"n": number})
    await hear_all([here, there], range(21))
    assert not lives(shard["pid"])
    assert f"(pid {shard['pid']}) {KILLED}" in stalling_node.logged()


async def test_the_others_go_on_when_a_worker_is_suspended(phoenix: PhoenixJs, stalling_node: Node) -> None:
    here, there = await on_different_workers(phoenix, stalling_node, "room:workers")
    pid = await process_of(stalling_node, there)
    os.kill(pid, signal.SIGSTOP)
    for number in range(20):
        here.send("new_msg", {"n": number})
    await hear_all([here], range(20))
    await there.sees(event="phx_error")
    assert (await there.push("where"))[0] == "ok"  # phoenix.js holds it back until it has joined again
    assert not lives(pid)
    here.send("new_msg", {"n": 20})
    await there.hears("new_msg", {"n": 20})
    await asyncio.to_thread(wait_for, lambda: KILLED in stalling_node.logged(), "it is logged", stalling_node.logged)
    assert stalling_node.logged().count(KILLED) == 1


@pytest.mark.parametrize("how", ["never_return", "spin"])
async def test_a_handler_that_blocks_is_named_and_its_worker_killed(
    phoenix: PhoenixJs, stalling_node: Node, how: str
) -> None:
    here, there = await on_different_workers(phoenix, stalling_node, "room:handlers")
    pid = await process_of(stalling_node, there)
    there.send(how)
    here.send("new_msg", {"n": 0})
    await hear_all([here], range(1))
    await asyncio.to_thread(wait_for, lambda: KILLED in stalling_node.logged(), "it is killed", stalling_node.logged)
    assert not lives(pid)
    log = stalling_node.logged()
    assert "the loop has been blocked for 1.0 s by tests/applications/stalls.py:" in log
    assert f"in RoomChannel.{how}: use an async library or asyncio.to_thread" in log
    assert log.count("the loop has been blocked") == 1
    assert log.count(KILLED) == 1


async def test_a_handler_that_blocks_for_less_than_the_limit_costs_no_more_than_that(
    phoenix: PhoenixJs,
) -> None:
    with Node("tests.applications.stalls:endpoint").patient() as node:
        here, there = await on_different_workers(phoenix, node, "room:short")
        answered = there.send("sleep", {"seconds": 1.8})
        here.send("new_msg", {"n": 0})
        assert (await there.sees(reply=answered))["status"] == "ok"
        await hear_all([here, there], range(1))
        assert "in RoomChannel.sleep" in node.logged()
        assert "was killed" not in node.logged()


async def test_a_node_that_was_suspended_whole_goes_on(phoenix: PhoenixJs, stalling_node: Node) -> None:
    here, there = await on_different_workers(phoenix, stalling_node, "room:all")
    pids = sorted(stalling_node.pids())
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(STALL_LIMIT * 1.5)  # time that passes for nobody in the node
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    here.send("new_msg", {"n": 0})
    await hear_all([here, there], range(1))
    assert sorted(stalling_node.pids()) == pids


def test_both_supervisors_take_the_limit(stalling_node: Node) -> None:
    status: Any = stalling_node.status()
    for process in (status["shards"][0], status["gateway"]["workers"][0]):
        os.kill(process["pid"], signal.SIGSTOP)
    for process in (status["shards"][0], status["gateway"]["workers"][0]):
        wait_for(lambda pid=process["pid"]: not lives(pid), "it is killed")  # type: ignore[misc]
    wait_for(lambda: bool(stalling_node.status()["silent"] == []), "all answer again", stalling_node.logged)
