"""Sockets without channels: upstream's cases of section 10.2, against a node of real processes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.e2e.http import request, upgrade
from tests.e2e.node import Node, wait_for
from tests.limits import LIMIT


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.transports:endpoint", shards=2, workers=2) as running:
        yield running


@asynccontextmanager
async def client(node: Node, path: str = "/raw/websocket", **options: Any) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{node.port}{path}"
    async with connect(url, compression=None, ping_interval=None, max_size=None, **options) as connection:
        yield connection


async def told(connection: ClientConnection) -> str | bytes:
    async with asyncio.timeout(LIMIT):
        return await connection.recv()


async def ended(connection: ClientConnection) -> tuple[int, str]:
    """Wait until the server has closed the connection."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await told(connection)
    assert connection.close_code is not None
    return connection.close_code, connection.close_reason or ""


async def test_ws_01_a_plain_get(node: Node) -> None:
    answer = await request(node.port, "/echo/websocket")
    assert (answer.status, answer.body) == (400, b"'connection' header must contain 'upgrade', got []")


@pytest.mark.parametrize(
    ("origin", "status"), [(None, 101), ("https://example.com", 101), ("https://notallowed.com", 403)]
)
async def test_ws_02_origins(node: Node, origin: str | None, status: int) -> None:
    answer = await upgrade(node.port, "/raw/websocket", {"Origin": origin} if origin else {})
    assert answer.status == status


async def test_ws_03_sub_protocols(node: Node) -> None:
    for offered, chosen in ((["mqtt"], "mqtt"), (["other", "mqtt", "sip"], "sip"), (None, None)):
        protocols = [Subprotocol(name) for name in offered] if offered else None
        async with client(node, "/protocols/websocket", subprotocols=protocols) as connection:
            assert connection.subprotocol == chosen
            await connection.send("subprotocol")
            assert await told(connection) == str(chosen)
    with pytest.raises(InvalidStatus) as refused:
        async with client(node, "/protocols/websocket", subprotocols=[Subprotocol("other")]):
            pass
    assert refused.value.response.status_code == 403


async def test_ws_04_parameters_and_an_answer(node: Node) -> None:
    async with client(node, "/raw/websocket?key=value&vsn=9") as connection:
        await connection.send("params")
        assert json.loads(await told(connection)) == {"key": "value", "vsn": "9"}


async def test_ws_05_control_frames_without_a_method(node: Node) -> None:
    async with client(node, "/echo/websocket") as connection:
        async with asyncio.timeout(LIMIT):
            await (await connection.ping(b"payload"))
            await connection.pong(b"unasked")
        await connection.send("still here")
        assert await told(connection) == "still here"


async def test_ws_06_messages_that_nobody_asked_for(node: Node) -> None:
    async with client(node) as connection:
        await connection.send("later hello")
        assert await told(connection) == "info hello"


async def test_ws_07_and_08_paths(node: Node) -> None:
    async with client(node, "/nested/r1/deep/s2/ws?key=value&seat=mine") as connection:
        await connection.send("params")
        assert json.loads(await told(connection)) == {"key": "value", "room": "r1", "seat": "s2"}


async def test_ws_09_control_frames(node: Node) -> None:
    async with client(node) as connection:
        async with asyncio.timeout(LIMIT):
            await (await connection.ping(b"from the client"))
        assert await told(connection) == "ping:from the client"
        await connection.pong(b"unasked")
        assert await told(connection) == "pong:unasked"
        await connection.send("ping from the server")
        assert await told(connection) == "pong:from the server"


async def test_text_stays_text_and_binary_stays_binary(node: Node) -> None:
    async with client(node, "/echo/websocket") as connection:
        for message in ("", "text é 🪺", b"", b"\x00\xff", "x" * 70_000, b"y" * 70_000):
            await connection.send(message)
            assert await told(connection) == message


async def test_opened_comes_first(node: Node) -> None:
    async with client(node, "/raw/websocket?greet=1") as connection:
        await connection.send("params")
        assert await told(connection) == "welcome"
        assert json.loads(await told(connection)) == {"greet": "1"}


@pytest.mark.parametrize(("how", "status", "body"), [("refused", 429, b'{"reason":"not you"}'), ("crash", 500, b"")])
async def test_refusals(node: Node, how: str, status: int, body: bytes) -> None:
    answer = await upgrade(node.port, f"/raw/websocket?how={how}")
    assert (answer.status, answer.body) == (status, body)


async def test_closing(node: Node) -> None:
    for command, code, reason in (("close 1000", 1000, ""), ("close 4321 enough", 4321, "enough")):
        async with client(node) as connection:
            await connection.send(command)
            assert await ended(connection) == (code, reason)
    async with client(node) as connection:
        await connection.send("send_after_close")
        assert await ended(connection) == (4000, "")


@pytest.mark.parametrize(
    "command", ["crash", "close 1005", "close 999", "close 1000 " + "r" * 124, "ping " + "p" * 126]
)
async def test_a_crash_closes_the_connection(node: Node, command: str) -> None:
    before = node.logged().count("ERROR")
    async with client(node) as connection:
        await connection.send(command)
        await connection.send("params")
        assert await ended(connection) == (1011, "")
    assert node.logged().count("ERROR") == before + 1


async def test_topics(node: Node) -> None:
    """A raw socket hears broadcasts and, from any worker, is heard."""
    async with client(node) as one, client(node) as other:
        for connection in (one, other):
            await connection.send("subscribe news")
            assert await told(connection) == "subscribed news"
        await one.send("broadcast news")
        for connection in (one, other):
            assert await told(connection) == "broadcast news said {'by': 'a raw socket'}"
        await other.send("unsubscribe news")
        assert await told(other) == "unsubscribed news"
        await one.send("broadcast news")
        assert await told(one) == "broadcast news said {'by': 'a raw socket'}"
        await other.send("params")
        assert await told(other) == "{}"


async def test_disconnecting_by_id(node: Node) -> None:
    async with client(node, "/raw/websocket?id=user:7") as one, client(node) as other:
        await one.send("params")
        await told(one)
        # Which worker has it, and whether its subscription stands: it is asked until it is gone.
        async with asyncio.timeout(LIMIT):
            while one.state.name == "OPEN":
                await other.send("disconnect user:7")
                await asyncio.wait([asyncio.ensure_future(one.wait_closed())], timeout=0.1)
        assert one.close_code == 1001


async def test_terminate_runs_once_whatever_ended_the_connection(node: Node) -> None:
    async with client(node) as witness:
        await witness.send("subscribe ends")
        await told(witness)
        for command, reason in (("close 1000", "closed"), ("crash", "handle_in was asked to crash")):
            async with client(node, "/raw/websocket?tell=ends") as connection:
                await connection.send(command)
                await ended(connection)
            assert await told(witness) == f"broadcast ends terminated {{'reason': '{reason}'}}"
        async with client(node, "/raw/websocket?tell=ends"):
            pass
        assert await told(witness) == "broadcast ends terminated {'reason': 'closed'}"
        async with client(node, "/raw/websocket?tell=ends&id=somebody") as connection:
            await connection.send("subscribe anything")
            await told(connection)  # the subscription to its id stands before any that it asks for
            await witness.send("disconnect somebody")
            await ended(connection)
            assert await told(witness) == "broadcast ends terminated {'reason': 'disconnected'}"
        await witness.send("params")
        assert await told(witness) == "{}"


async def test_messages_are_handled_in_order_however_many_come(node: Node) -> None:
    async with client(node) as connection:
        commands = [f"subscribe topic {number}" for number in range(300)]
        for command in commands:
            await connection.send(command)
        assert [await told(connection) for _ in commands] == [
            command.replace("subscribe", "subscribed") for command in commands
        ]


async def test_raw_sockets_count_as_connections(node: Node) -> None:
    async with client(node) as connection:
        await connection.send("params")
        await told(connection)

        def counted() -> bool:
            workers = node.status()["gateway"]["workers"]
            sums = [sum(worker[what] for worker in workers) for what in ("connections", "channels")]
            return sums == [1, 0]

        # Those of tests before it may be ending still.
        await asyncio.to_thread(wait_for, counted, "there is this connection alone, and no channel", node.logged)
