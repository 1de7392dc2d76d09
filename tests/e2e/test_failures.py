"""What a node does when its processes die."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.e2e.node import Node, children, kill, lives, wait_for
from tests.e2e.phoenix_js import Channel, PhoenixJs
from tests.e2e.test_channels import on_different_workers


async def say_and_hear(speaker: Channel, listeners: list[Channel], number: int) -> None:
    speaker.send("new_msg", {"n": number})
    await asyncio.gather(*(listener.hears("new_msg", {"n": number}) for listener in listeners))


async def test_clients_chat_on_while_shards_are_killed(phoenix: PhoenixJs, lone_node: Node) -> None:
    here, there = await on_different_workers(phoenix, lone_node, "room:shards")
    for number in range(6):
        await say_and_hear(here, [here, there], number)
        status = await asyncio.to_thread(lone_node.status)
        kill(status["shards"][number % 2]["pid"])
    await say_and_hear(there, [here, there], 6)
    assert here.payloads("new_msg") == there.payloads("new_msg") == [{"n": number} for number in range(7)]


async def test_clients_of_a_killed_worker_come_back_and_the_others_notice_nothing(
    phoenix: PhoenixJs, lone_node: Node
) -> None:
    here, there = await on_different_workers(phoenix, lone_node, "room:workers")
    doomed = (await here.push("where"))[1]["worker"]
    status = await asyncio.to_thread(lone_node.status)
    kill(next(worker["pid"] for worker in status["gateway"]["workers"] if worker["number"] == doomed))
    await there.push("ping")
    await here.sees(event="phx_error")
    after = await here.push("where")  # phoenix.js holds it back until it has joined again
    assert after[1]["worker"] != doomed
    await say_and_hear(here, [here, there], 1)

    def forgotten() -> bool:
        rows = lone_node.ask("subscribers", "room:workers")["subscribers"]
        return doomed not in {row["worker"] for row in rows}

    await asyncio.to_thread(wait_for, forgotten, "the dead worker's subscribers are gone")


@pytest.mark.parametrize("supervisor", ["broker", "gateway"])
def test_a_killed_supervisor_takes_its_children_along(lone_node: Node, supervisor: str) -> None:
    process: subprocess.Popen[bytes] = getattr(lone_node, supervisor)
    orphans = children(process.pid)
    assert len(orphans) == 2
    kill(process.pid)
    wait_for(lambda: not any(map(lives, orphans)), "its children are gone")


async def test_clients_go_on_when_the_broker_was_killed_and_another_came(phoenix: PhoenixJs, lone_node: Node) -> None:
    here, there = await on_different_workers(phoenix, lone_node, "room:broker")
    assert lone_node.broker is not None
    kill(lone_node.broker.pid)
    lone_node.broker.wait()
    here.send("new_msg", {"n": 1})
    lone_node.start_broker()
    await asyncio.gather(here.hears("new_msg", {"n": 1}), there.hears("new_msg", {"n": 1}))
    await say_and_hear(there, [here, there], 2)


async def test_clients_come_back_when_the_gateway_was_killed_and_another_came(
    phoenix: PhoenixJs, lone_node: Node
) -> None:
    channels = [await (await phoenix.connect(lone_node.url)).join("room:gateway") for _ in range(4)]
    assert lone_node.gateway is not None
    kill(lone_node.gateway.pid)
    lone_node.gateway.wait()
    for channel in channels:
        await channel.sees(event="phx_error")
    await asyncio.to_thread(lone_node.start_gateway)
    for channel in channels:
        await channel.push("ping")  # phoenix.js holds it back until it has joined again
    await say_and_hear(channels[0], channels, 1)


def test_nothing_is_left_of_a_stopped_node(lone_node: Node) -> None:
    pids = lone_node.pids()
    assert len(pids) == 6
    assert lone_node.run("stop").returncode == 0
    wait_for(lambda: not any(map(lives, pids)), "all processes are gone")
    assert sockets_in(lone_node.run_dir) == []
    assert list((lone_node.run_dir / "alive").iterdir()) == []


def sockets_in(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_socket()]
