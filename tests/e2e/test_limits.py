"""Limits of connections, frames and fields on a node of real processes; and how they are changed while it runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect

from roost.shared.message_limits import MAX_FIELD_BYTES
from tests.e2e.http import request, upgrade
from tests.e2e.node import Node, wait_for
from tests.limits import LIMIT


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    running = Node("tests.applications.entrances:with_pages", shards=1, workers=1)
    running.environment["ROOST_MAX_CONNECTIONS"] = "5"
    with running:
        yield running


@pytest.fixture(autouse=True)
def default_limits(node: Node) -> Iterator[None]:
    """Each test begins with the limits that the node was started with, and without connections."""
    yield
    configure(node, "max_connections", "5")
    configure(node, "max_connections_per_address", "0")
    wait_for(lambda: node.status()["gateway"]["workers"][0]["connections"] == 0, "all clients are gone")


def configure(node: Node, name: str, value: str) -> None:
    result = node.run("config", "set", name, value)
    assert result.returncode == 0, result.stderr


@asynccontextmanager
async def clients(node: Node, count: int, address: str = "127.0.0.1") -> AsyncIterator[list[ClientConnection]]:
    url = f"ws://127.0.0.1:{node.port}/socket/websocket?vsn=2.0.0"
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(connect(url, compression=None, local_addr=(address, 0)))
            for _ in range(count)
        ]


async def code_after(node: Node, path: str, message: str) -> int | None:
    """How the server closes the connection after this message; None if it answers."""
    async with connect(f"ws://127.0.0.1:{node.port}{path}?vsn=2.0.0", compression=None, max_size=None) as client:
        await client.send(message)
        try:
            async with asyncio.timeout(LIMIT):
                await client.recv()
        except Exception:  # noqa: BLE001 - however the library puts it, the code says what it was
            return client.close_code
        return None


async def test_a_full_worker_answers_503_and_when_to_come_again(node: Node) -> None:
    async with clients(node, 5) as connected:
        for target in ("/socket/websocket?vsn=2.0.0", "/elsewhere"):
            answer = await upgrade(node.port, target)
            assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "5", b"")
        assert (await request(node.port, "/elsewhere")).status == 503
        assert node.status()["gateway"]["workers"][0]["turned_away"] >= 3
        # Who is in stays in.
        await connected[0].send('[null,"1","phoenix","heartbeat",{}]')
        assert json.loads(await connected[0].recv())[1] == "1"
        await connected[1].close()

        async def comes_in() -> bool:
            return (await upgrade(node.port, "/socket/websocket?vsn=2.0.0")).status == 101

        async with asyncio.timeout(LIMIT):
            while not await comes_in():
                pass


async def test_the_limit_is_changed_while_the_node_runs(node: Node) -> None:
    async with clients(node, 5):
        assert (await upgrade(node.port, "/socket/websocket?vsn=2.0.0")).status == 503
        configure(node, "max_connections", "7")
        async with clients(node, 2):
            assert (await upgrade(node.port, "/socket/websocket?vsn=2.0.0")).status == 503
            # Below what there is: nobody is sent away, nobody comes in.
            configure(node, "max-connections", "1")
            assert (await upgrade(node.port, "/socket/websocket?vsn=2.0.0")).status == 503
            assert node.status()["gateway"]["workers"][0]["connections"] == 7


async def test_one_address_has_a_limit_of_its_own(node: Node) -> None:
    configure(node, "ROOST_MAX_CONNECTIONS_PER_ADDRESS", "2")
    async with clients(node, 2):
        answer = await upgrade(node.port, "/socket/websocket?vsn=2.0.0")
        assert (answer.status, answer.headers["retry-after"]) == (429, "5")
        async with clients(node, 2, address="127.0.0.2"):
            assert (await upgrade(node.port, "/socket/websocket?vsn=2.0.0")).status == 429


async def test_requests_for_the_applications_own_pages_give_their_places_back(node: Node) -> None:
    for _ in range(20):
        assert (await request(node.port, "/elsewhere")).status == 404
        assert (await upgrade(node.port, "/elsewhere")).status == 403
        assert (await upgrade(node.port, "/socket/websocket?vsn=9")).status == 403
    async with clients(node, 5):
        pass


async def test_a_websocket_after_other_requests_of_one_connection_has_one_place(node: Node) -> None:
    head = f"GET /elsewhere HTTP/1.1\r\nHost: localhost:{node.port}\r\n\r\n"
    wish = (
        f"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost:{node.port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    async with asyncio.timeout(LIMIT), clients(node, 4):
        writer.write(head.encode())
        await reader.readuntil(b"\r\n\r\nNot Found")
        writer.write(wish.encode())
        assert b"101 Switching" in await reader.readuntil(b"\r\n\r\n")
        assert (await upgrade(node.port, "/socket/websocket?vsn=2.0.0")).status == 503
        writer.close()


async def test_the_largest_message_is_the_mounts(node: Node) -> None:
    def of(size: int) -> str:
        return json.dumps(["1", "1", "t", "e", "x" * (size - len(json.dumps(["1", "1", "t", "e", ""])))])

    assert await code_after(node, "/small/websocket", of(1000)) is None
    assert await code_after(node, "/small/websocket", of(1001)) == 1009
    assert await code_after(node, "/small/websocket", of(100_000)) == 1009
    assert await code_after(node, "/socket/websocket", of(100_000)) is None


@pytest.mark.parametrize("place", range(4))
async def test_fields_that_are_too_long_end_the_connection(node: Node, place: int) -> None:
    fields: list[object] = ["1", "1", "t", "e", {}]
    fields[place] = "x" * MAX_FIELD_BYTES
    assert await code_after(node, "/socket/websocket", json.dumps(fields)) is None
    fields[place] = "x" * (MAX_FIELD_BYTES + 1)
    assert await code_after(node, "/socket/websocket", json.dumps(fields)) == 1011


def test_config_get(node: Node) -> None:
    assert node.run("config", "get", "max_connections").stdout == "5\n"
    rows = {row["name"]: row["value"] for row in node.ask("config", "get")}
    assert (rows["max_connections"], rows["max_connections_per_address"]) == ("5", "0")
    assert "max_connections" in node.run("config", "get").stdout


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("max_connections", "0", "ROOST_MAX_CONNECTIONS must be a whole number from 1 to"),
        ("max_connections", "many", "ROOST_MAX_CONNECTIONS must be a whole number from 1 to"),
        ("port", "1", "port cannot be changed in a running node; max_connections, "),
    ],
)
def test_what_cannot_be_set_is_said_in_a_sentence(node: Node, name: str, value: str, sentence: str) -> None:
    result = node.run("config", "set", name, value)
    assert result.returncode == 1
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


def test_a_worker_that_is_started_again_has_the_changed_limits(node: Node) -> None:
    import os
    import signal

    configure(node, "max_connections", "2")
    worker = node.status()["gateway"]["workers"][0]["pid"]
    os.kill(worker, signal.SIGKILL)
    wait_for(
        lambda: [found["pid"] for found in node.status()["gateway"]["workers"]] not in ([], [worker]), "it is back"
    )
    node.wait_until_serving()

    async def third() -> int:
        async with clients(node, 2):
            return (await upgrade(node.port, "/socket/websocket?vsn=2.0.0")).status

    assert asyncio.run(third()) == 503


def test_nothing_was_an_error(node: Node) -> None:
    assert ": ERROR: " not in node.logged()
