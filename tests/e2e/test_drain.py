"""`roost drain` and a node that stops: clients go in batches, each with a whole close frame; who comes is refused."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.http import request, upgrade
from tests.e2e.node import ROOST, ROOT, Node, kill, wait_for
from tests.e2e.phoenix_js import PhoenixJs
from tests.e2e.raw import RawClient, UnreadClient
from tests.limits import LIMIT

SOCKET = "/socket/websocket?vsn=2.0.0"


def slowly(node: Node, batch: int, interval: float) -> None:
    """Have the node send so few clients away at a time."""
    node.environment |= {"ROOST_DRAIN_BATCH_SIZE": str(batch), "ROOST_DRAIN_BATCH_INTERVAL": str(interval)}


@pytest.fixture
def slow_node() -> Iterator[Node]:
    """One worker, that sends three clients away and then three more, much later."""
    node = Node("tests.applications.entrances:with_pages", shards=1, workers=1)
    slowly(node, 3, 10)
    with node:
        yield node


@pytest.fixture
def very_slow_node() -> Iterator[Node]:
    """The same, but nobody waits for the second three."""
    node = Node("tests.applications.entrances:with_pages", shards=1, workers=1)
    slowly(node, 3, 15)
    with node:
        yield node


@pytest.fixture
def polled_node() -> Iterator[Node]:
    with Node("tests.applications.polled:endpoint") as node:
        yield node


@asynccontextmanager
async def visitors(node: Node, number: int) -> AsyncIterator[list[RawClient]]:
    """Clients who are connected."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(RawClient(node.url)) for _ in range(number)]


def begin(node: Node, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [ROOST, *arguments],
        env=node.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = await asyncio.to_thread(process.communicate, None, LIMIT)
    return process.returncode, out, err


async def told(clients: list[RawClient], number: int) -> tuple[list[RawClient], list[RawClient]]:
    """Wait until so many have been sent away: those, and the others."""
    closing = [asyncio.ensure_future(client.connection.wait_closed()) for client in clients]
    async with asyncio.timeout(LIMIT):
        while sum(task.done() for task in closing) < number:
            await asyncio.wait([task for task in closing if not task.done()], return_when=asyncio.FIRST_COMPLETED)
    for task in closing:
        task.cancel()
    pairs = list(zip(clients, closing, strict=True))
    return [client for client, task in pairs if task.done() and not task.cancelled()], [
        client for client, task in pairs if not task.done() or task.cancelled()
    ]


async def beats(client: RawClient) -> None:
    reply = await client.ask([None, "1", "phoenix", "heartbeat", {}])
    assert reply == [None, "1", "phoenix", "phx_reply", {"status": "ok", "response": {}}]


async def until(condition: Callable[[], bool], what: str, node: Node) -> None:
    await asyncio.to_thread(wait_for, condition, what, node.logged)


async def test_clients_go_in_batches_and_who_comes_is_refused_until_the_drain_is_off(slow_node: Node) -> None:
    node = slow_node
    async with visitors(node, 6) as clients:
        draining = begin(node, "drain")
        gone, rest = await told(clients, 3)
        assert len(gone) == len(rest) == 3
        for client in rest:
            await beats(client)
        for response in (await upgrade(node.port, SOCKET), await request(node.port, "/")):
            assert response.status == 503
            assert response.headers["retry-after"] == "5"
        workers = (await asyncio.to_thread(node.status))["gateway"]["workers"]
        assert [(worker["drained"], worker["connections"]) for worker in workers] == [(True, 3)]
        assert [await client.closed() for client in clients] == [1012] * 6
        code, out, err = await finish(draining)
        assert code == 0, err
        assert "draining, " in out
        assert "6 clients sent away in " in out
        for line in ("DRAINING 3 of 6", "round 1 of 2", "round 2 of 2"):
            assert line in node.logged()
        assert "new ones are answered 503 until `roost drain --off`" in out
    assert (await upgrade(node.port, SOCKET)).status == 503
    again = await asyncio.to_thread(node.ask, "drain")
    assert (again["phase"], again["left"]) == ("drained", 0)
    assert (await asyncio.to_thread(node.run, "drain", "--off")).stdout == "clients are let in\n"
    assert (await asyncio.to_thread(node.ask, "drain", "--off"))["phase"] == "open"
    assert (await request(node.port, "/")).status == 404
    async with visitors(node, 1) as [client]:
        await beats(client)
    assert "Traceback" not in node.logged()


async def test_a_drain_can_be_called_off_half_way(very_slow_node: Node) -> None:
    node = very_slow_node
    async with visitors(node, 6) as clients:
        draining = begin(node, "drain")
        gone, rest = await told(clients, 3)
        assert len(gone) == len(rest) == 3
        assert (await asyncio.to_thread(node.run, "drain", "--off")).returncode == 0
        code, _, err = await finish(draining)
        assert (code, err) == (1, "the drain was called off: clients are let in again\n")
        async with visitors(node, 1) as newcomers:
            for client in (*rest, *newcomers):
                await beats(client)


async def test_a_worker_that_is_started_meanwhile_refuses_too(lone_node: Node) -> None:
    node = lone_node
    assert (await asyncio.to_thread(node.run, "drain")).returncode == 0
    workers = {worker["pid"] for worker in (await asyncio.to_thread(node.status))["gateway"]["workers"]}
    for pid in workers:
        kill(pid)

    def two_new() -> bool:
        now = node.status()["gateway"]["workers"]
        return len([worker for worker in now if worker["serving"] and worker["pid"] not in workers]) == 2

    await until(two_new, "two new workers serve", node)
    assert {(await upgrade(node.port, SOCKET)).status for _ in range(8)} == {503}
    assert (await asyncio.to_thread(node.run, "scale", "workers", "3")).returncode == 0
    assert {(await upgrade(node.port, SOCKET)).status for _ in range(8)} == {503}
    assert (await asyncio.to_thread(node.run, "drain", "--off")).returncode == 0
    assert {(await upgrade(node.port, SOCKET)).status for _ in range(8)} == {101}


@pytest.mark.parametrize("options", [{}, {"transport": "longpoll"}], ids=["websocket", "longpoll"])
async def test_channels_of_phoenix_js_come_back(phoenix: PhoenixJs, polled_node: Node, options: dict[str, Any]) -> None:
    node = polled_node
    url = f"ws://127.0.0.1:{node.port}/patient"
    channels = [await (await phoenix.connect(url, **options)).join("room:quiet:drained") for _ in range(6)]
    assert (await asyncio.to_thread(node.run, "drain")).returncode == 0
    for channel in channels:
        await channel.sees(event="phx_error")
    assert (await asyncio.to_thread(node.run, "drain", "--off")).returncode == 0
    for channel in channels:
        assert await channel.push("echo", {"n": 1}) == ("ok", {"n": 1})
    closes = {seen["code"] for seen in phoenix.seen if seen.get("event") == "close"}
    assert options or 1012 in closes
    assert not [seen for seen in phoenix.seen if seen.get("event") == "phx_close"]


@pytest.mark.parametrize("by", ["a signal to the gateway", "roost stop"])
async def test_a_node_that_stops_sends_its_clients_away_in_batches_before_it_ends(slow_node: Node, by: str) -> None:
    node = slow_node
    assert node.gateway is not None
    async with visitors(node, 6) as clients:
        if by == "roost stop":
            stopping = begin(node, "stop")
        else:
            node.gateway.send_signal(signal.SIGTERM)
        gone, rest = await told(clients, 3)
        assert len(gone) == len(rest) == 3
        for client in rest:
            await beats(client)
        with pytest.raises(ConnectionRefusedError):
            await upgrade(node.port, SOCKET)
        assert [await client.closed() for client in clients] == [1012] * 6
    assert await asyncio.to_thread(node.gateway.wait, LIMIT) == 0
    if by == "roost stop":
        assert (await finish(stopping))[0] == 0
    assert "hurrying" not in node.logged()
    assert "Traceback" not in node.logged()


async def test_under_honcho_a_drain_that_would_take_longer_is_hurried_and_says_so() -> None:
    node = Node(shards=1, workers=1)
    slowly(node, 1, 1)
    path = f"{Path(sys.executable).parent}:{node.environment['PATH']}"
    try:
        honcho = subprocess.Popen(
            [str(Path(sys.executable).with_name("honcho")), "start"],
            env=node.environment | {"PATH": path},
            cwd=ROOT,
            stdout=node.log,
            stderr=node.log,
        )
        try:
            await until(lambda: "serving examples.numbers:endpoint" in node.logged(), "it serves", node)
            async with visitors(node, 8) as clients:
                honcho.send_signal(signal.SIGTERM)
                assert [await client.closed() for client in clients] == [1012] * 8
            await asyncio.to_thread(honcho.wait, LIMIT)
        finally:
            honcho.kill()
            honcho.wait()
        assert (
            "hurrying: 8 clients are sent away within 1.5 s rather than 7 s, for ROOST_STOP_LIMIT is 5 s\n"
            in node.logged()
        )
        assert "SIGKILL" not in node.logged()
        assert node.logged().count("(rc=0)") == 2
        assert "Traceback" not in node.logged()
    finally:
        node.stop()


async def test_channels_end_in_full_before_a_node_does() -> None:
    with Node("tests.applications.farewells:endpoint", shards=1, workers=1) as node:
        async with RawClient(node.url) as client:
            await client.join("lasting:1")
            assert (await asyncio.to_thread(node.run, "stop")).returncode == 0
            assert await client.closed() == 1012
        assert "lasting:1 has ended: draining\n" in node.logged()


async def test_a_channel_whose_mailbox_overflows_is_joined_anew(phoenix: PhoenixJs) -> None:
    """It ends without its client's wish: so with `phx_error`, after which phoenix.js joins again."""
    with Node("tests.applications.farewells:endpoint", shards=1, workers=1) as node:
        async with RawClient(node.url) as client:
            await client.join("flooded:1")
            await client.send(["1", "2", "flooded:1", "flood", {}])
            assert await client.receive() == ["1", "1", "flooded:1", "phx_error", {"reason": "channel_crash"}]
        channel = await (await phoenix.connect(node.url)).join("flooded:2")
        channel.send("flood")
        await channel.sees(event="phx_error")
        assert (await channel.push("hello"))[0] == "ok"  # phoenix.js holds it back until it has joined again
        assert "more than 10000 messages wait for it" in node.logged()


async def test_a_client_that_lags_behind_gets_the_close_frame_after_all_that_came_before() -> None:
    """It reads nothing until the node stops; the worker waits for it, and ends with the last byte.

    One worker serves both clients, so what the other one has heard stands before the close of the first.
    """
    with Node(shards=1, workers=1) as node:
        assert node.gateway is not None
        async with UnreadClient(node.port) as client, RawClient(node.url) as other:
            await client.join("room:lag")
            await other.join("room:lag")
            payload = {"body": "x" * 50_000}
            for _ in range(4):
                await other.send(["1", None, "room:lag", "new_msg", payload])
            for _ in range(4):
                assert (await other.receive())[4] == payload
            node.gateway.send_signal(signal.SIGTERM)
            assert await other.closed() == 1012
            messages, close = await client.ended()
            assert [message[4] for message in messages] == [payload] * 4
            assert close.code == 1012
        assert await asyncio.to_thread(node.gateway.wait, LIMIT) == 0
