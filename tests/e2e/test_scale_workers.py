"""`roost scale workers`: workers come and go while clients talk; those that are sent away come back."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage

from tests.e2e.node import ROOST, ROOT, Node, kill, wait_for
from tests.e2e.phoenix_js import Channel, PhoenixJs
from tests.e2e.raw import RawClient
from tests.limits import LIMIT

VISITORS = 20


@pytest.fixture
def three_workers() -> Iterator[Node]:
    """A node with three workers, for one test."""
    with Node(shards=1, workers=3) as node:
        yield node


def scale(node: Node, workers: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOST, "scale", "workers", str(workers)],
        env=node.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def serving(node: Node) -> dict[int, int]:
    """The pids of the workers that serve, by their numbers."""
    workers = node.status()["gateway"]["workers"]
    return {worker["number"]: worker["pid"] for worker in workers if worker["serving"]}


async def where(channel: Channel) -> int:
    return int((await channel.push("where"))[1]["worker"])


async def chatters(phoenix: PhoenixJs, node: Node, number: int) -> list[Channel]:
    return [await (await phoenix.connect(node.url)).join("room:scale") for _ in range(number)]


async def test_clients_come_back_and_the_others_lose_nothing(phoenix: PhoenixJs, three_workers: Node) -> None:
    node = three_workers
    everybody = await chatters(phoenix, node, 24)
    before = [await where(channel) for channel in everybody]
    first = min(await asyncio.to_thread(serving, node))
    stay = [channel for channel, worker in zip(everybody, before, strict=True) if worker == first]
    go = [channel for channel in everybody if channel not in stay]
    assert stay
    assert go

    scaling = asyncio.ensure_future(asyncio.to_thread(scale, node, 1))
    sent = 0
    while not scaling.done() or sent < 10:
        stay[0].send("new_msg", {"n": sent})
        await stay[0].hears("new_msg", {"n": sent})
        sent += 1
    result = await scaling
    assert result.returncode == 0, result.stderr
    assert "3 -> 1 workers in " in result.stdout
    assert f"{len(go)} clients sent to the others" in result.stdout
    assert list(await asyncio.to_thread(serving, node)) == [first]
    for channel in go:
        await channel.sees(event="phx_error")
        assert await where(channel) == first  # phoenix.js holds it back until it has joined again
    closes = {seen["code"] for seen in phoenix.seen if seen.get("event") == "close"}
    assert closes == {1012}

    result = await asyncio.to_thread(scale, node, 4)
    assert result.returncode == 0, result.stderr
    assert len(await asyncio.to_thread(serving, node)) == 4
    newcomers = await chatters(phoenix, node, 24)
    assert len({await where(channel) for channel in newcomers}) > 1
    stay[0].send("new_msg", {"n": sent})
    for channel in (*everybody, *newcomers):
        await channel.hears("new_msg", {"n": sent})
    for channel in stay:
        assert channel.payloads("new_msg") == [{"n": number} for number in range(sent + 1)]
    assert "Traceback" not in node.logged()


async def test_nobody_is_refused_while_workers_go(three_workers: Node) -> None:
    """Clients that connect all the time are let in, or sent away with 1012; the kernel may reset one now and then."""
    node = three_workers
    scaling = asyncio.ensure_future(asyncio.to_thread(scale, node, 1))
    outcomes: list[Any] = []

    async def visit() -> None:
        while not scaling.done():
            client = RawClient(node.url)
            try:
                async with client:
                    await client.send(["1", "1", "room:visit", "phx_join", {}])
                    outcomes.append((await client.receive())[4]["status"])
            except (ConnectionResetError, InvalidMessage):  # the library's word for a reset in the handshake
                outcomes.append("reset")
            except ConnectionClosed:
                outcomes.append(await client.closed())

    await asyncio.gather(*(visit() for _ in range(VISITORS)))
    assert (await scaling).returncode == 0
    assert set(outcomes) <= {"ok", 1012, "reset"}
    assert outcomes.count("reset") < VISITORS
    assert outcomes[-1] == "ok"


async def test_the_number_survives_the_death_of_a_worker(three_workers: Node) -> None:
    node = three_workers
    assert (await asyncio.to_thread(scale, node, 2)).returncode == 0
    workers = await asyncio.to_thread(serving, node)
    for pid in workers.values():
        kill(pid)

    def two_new() -> bool:
        now = serving(node)
        return len(now) == 2 and not set(now) & set(workers)

    await asyncio.to_thread(wait_for, two_new, "two new workers serve", node.logged)


def begin(node: Node, workers: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [ROOST, "scale", "workers", str(workers)],
        env=node.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_a_second_change_is_refused_and_a_worker_that_does_not_go_is_killed(three_workers: Node) -> None:
    node = three_workers
    workers = await asyncio.to_thread(serving, node)
    stuck = workers[max(workers)]
    os.kill(stuck, signal.SIGSTOP)
    first = begin(node, 2)

    def begun() -> bool:
        return "changing from 3 to 2 workers" in node.logged()

    await asyncio.to_thread(wait_for, begun, "the change has begun", node.logged)
    second = await asyncio.to_thread(node.run, "scale", "workers", "5")
    assert second.returncode == 1
    assert second.stderr == "the number of workers is being changed already, from 3 to 2: wait until that is done\n"
    out, err = await asyncio.to_thread(first.communicate, None, LIMIT)  # the stall limit ends it
    assert first.returncode == 0, err
    assert "3 -> 2 workers in " in out
    assert out.endswith("; worker 2 had not left in time and was killed\n")
    assert f"worker 2 (pid {stuck}) did not answer for 10 s and was killed\n" in node.logged()
    assert set(await asyncio.to_thread(serving, node)) == set(workers) - {max(workers)}


def test_a_worker_that_cannot_start_ends_the_change_alone(tmp_path: Path) -> None:
    (tmp_path / "passing.py").write_text("from examples.playground import endpoint\n__all__ = ['endpoint']\n")
    node = Node("passing:endpoint", shards=1, workers=2)
    node.environment["PYTHONPATH"] = str(tmp_path)
    with node:
        before = serving(node)
        (tmp_path / "passing.py").write_text("raise RuntimeError('somebody edits this')\n")
        result = scale(node, 4)
        assert result.returncode == 1
        assert result.stderr.startswith("there are 2 workers as before: cannot import passing: RuntimeError: somebody")
        assert result.stderr.count("\n") == 1
        assert serving(node) == before


def test_numbers_that_cannot_be_are_refused(three_workers: Node) -> None:
    for number in ("0", "65", "many"):
        assert three_workers.run("scale", "workers", number).returncode == 2
    assert three_workers.run("scale", "workers", "3").stdout.startswith("3 -> 3 workers in ")
