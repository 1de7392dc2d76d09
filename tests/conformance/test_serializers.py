"""Serializers and transports of an application's own, beside the built-in ones, on a node of real processes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.http import upgrade
from tests.e2e.long_poll import LongPollClient
from tests.e2e.node import Node, wait_for
from tests.e2e.raw import RawClient
from tests.limits import LIMIT


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.transports:endpoint", shards=1, workers=1) as running:
        yield running


class PackClient:
    """A client that speaks MessagePack."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> None:
        message = {"topic": topic, "event": event, "payload": payload, "refs": [join_ref, ref]}
        await self.connection.send(msgspec.msgpack.encode(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT):
            message = await self.connection.recv()
        assert isinstance(message, bytes)
        answer: dict[str, Any] = msgspec.msgpack.decode(message)
        return answer

    async def join(self, topic: str) -> None:
        await self.send("1", "1", topic, "phx_join", {})
        reply = await self.receive()
        assert (reply["refs"], reply["event"]) == (["1", "1"], "phx_reply")
        assert reply["payload"] == {"status": "ok", "response": {}}


@asynccontextmanager
async def packing(node: Node, vsn: str = "3.0.0") -> AsyncIterator[PackClient]:
    url = f"ws://127.0.0.1:{node.port}/socket/websocket?vsn={vsn}"
    async with connect(url, compression=None, ping_interval=None) as connection:
        yield PackClient(connection)


@pytest.mark.parametrize(
    ("vsn", "status"),
    [("1.0.0", 101), ("2.0.9", 101), ("3.0.0", 101), ("4.9.0", 101), ("5.0.0", 403), ("2.1.0", 403), ("3", 403)],
)
async def test_the_version_decides(node: Node, vsn: str, status: int) -> None:
    assert (await upgrade(node.port, f"/socket/websocket?vsn={vsn}")).status == status


async def test_events_and_replies(node: Node) -> None:
    async with packing(node) as client:
        await client.send(None, "0", "phoenix", "heartbeat", {})
        assert (await client.receive())["payload"] == {"status": "ok", "response": {}}
        await client.join("room:packed")
        await client.send("1", "2", "room:packed", "ping", {"nested": [1, None, "é"]})
        reply = await client.receive()
        assert (reply["refs"], reply["payload"]["response"]) == (["1", "2"], {"nested": [1, None, "é"]})
        await client.send("1", "3", "room:packed", "ping", b"\x00\xff")
        assert (await client.receive())["payload"]["response"] == b"\x00\xff"
        await client.send("1", "4", "room:packed", "push_me", {"n": 1})
        push = await client.receive()
        assert (push["event"], push["payload"], push["refs"]) == ("pushed", {"n": 1}, ["1", None])


async def test_broadcasts_reach_all_and_are_encoded_once(node: Node) -> None:
    async with packing(node) as one, packing(node, "4.0.0") as other, RawClient(node.url) as usual:
        await one.join("room:mixed")
        await other.join("room:mixed")
        await usual.join("room:mixed")
        await one.send("1", "2", "room:mixed", "new_msg", {"n": 1})
        mine, theirs = await one.receive(), await other.receive()
        assert (mine["event"], mine["payload"], mine["refs"]) == ("new_msg", {"n": 1}, [None, None])
        assert mine == theirs, "the same bytes: the count of what was encoded is in them"
        assert await usual.receive() == [None, None, "room:mixed", "new_msg", {"n": 1}]
        await one.send("1", "3", "room:mixed", "new_msg", b"bytes")
        assert (await one.receive())["payload"] == (await other.receive())["payload"] == b"bytes"


async def test_a_payload_that_was_passed_on_and_cannot_be_read_passes_them_by(node: Node) -> None:
    """A number beyond all floats is JSON; who reads it, a serializer of the application's say, cannot."""
    async with packing(node) as client, RawClient(node.url) as usual:
        await client.join("room:beyond")
        await usual.join("room:beyond")
        await usual.connection.send('["1","2","room:beyond","new_msg",{"n":1e400}]')
        assert await usual.receive() == [None, None, "room:beyond", "new_msg", {"n": float("inf")}]
        await usual.send(["1", "3", "room:beyond", "new_msg", {"n": 1}])
        assert (await client.receive())["payload"] == {"n": 1}


async def test_a_broadcast_comes_before_the_reply_that_was_sent_after_it(node: Node) -> None:
    async with packing(node) as client:
        await client.join("room:order")
        for number in range(50):
            await client.send("1", f"b{number}", "room:order", "new_msg", {"n": number})
            await client.send("1", f"p{number}", "room:order", "ping", {"n": number})
        seen = [await client.receive() for _ in range(100)]
        assert [message["event"] for message in seen] == ["new_msg", "phx_reply"] * 50


async def test_what_cannot_be_decoded_ends_its_client_only(node: Node) -> None:
    async with packing(node) as bad, packing(node) as good:
        await bad.connection.send(b"\xc1")
        async with asyncio.timeout(LIMIT):
            await bad.connection.wait_closed()
        assert bad.connection.close_code == 1011
        await good.join("room:still here")


@asynccontextmanager
async def polling(node: Node) -> AsyncIterator[LongPollClient]:
    """A client of a serializer that long-poll alone serves under this version."""
    yield await LongPollClient(node.port, vsn="3.0.0").open()


async def polled(client: LongPollClient, count: int) -> list[Any]:
    """So many texts, each backwards; polls that are answered with nothing are repeated."""
    heard: list[Any] = []
    async with asyncio.timeout(LIMIT):
        while len(heard) < count:
            heard += [json.loads(text)[::-1] for text in (await client.get())["messages"]]
    return heard


async def test_over_long_poll_too(node: Node) -> None:
    async with polling(node) as client, RawClient(node.url) as usual:
        assert await client.post([{}, "phx_join", "room:backwards", "1", "1"]) == 200
        joined = ["1", "1", "room:backwards", "phx_reply", {"status": "ok", "response": {}}]
        assert await polled(client, 1) == [joined]
        await usual.join("room:backwards")
        await usual.send(["1", "2", "room:backwards", "new_msg", {"n": 1}])
        assert await polled(client, 1) == [[None, None, "room:backwards", "new_msg", {"n": 1}]]
        batch = [[{"n": ref}, "ping", "room:backwards", ref, "1"] for ref in ("3", "4")]
        assert await client.post(*batch) == 200
        answers = [["1", ref, "room:backwards", "phx_reply", {"status": "ok", "response": {"n": ref}}] for ref in "34"]
        assert await polled(client, 2) == answers


async def test_over_long_poll_a_binary_broadcast_passes_by_and_what_cannot_be_decoded_ends_the_session(
    node: Node,
) -> None:
    async with polling(node) as client, packing(node) as other:
        await client.post([{}, "phx_join", "room:backwards", "1", "1"])
        await polled(client, 1)
        await other.join("room:backwards")
        for payload in (b"bytes", {"n": 1}):
            await other.send("1", "2", "room:backwards", "new_msg", payload)
        assert await polled(client, 1) == [[None, None, "room:backwards", "new_msg", {"n": 1}]]
        assert await client.post(b'["too short"]') == 408
        assert (await client.get())["status"] == 410


@asynccontextmanager
async def by_asgi(node: Node, kind: str, query: str = "vsn=2.0.0") -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{node.port}/asgi/{kind}?{query}", compression=None) as connection:
        yield connection


async def hears(connection: ClientConnection) -> Any:
    async with asyncio.timeout(LIMIT):
        return json.loads(await connection.recv())


async def test_channels_over_a_transport_of_the_applications_own(node: Node) -> None:
    async with by_asgi(node, "channels") as connection, RawClient(node.url) as usual:
        await connection.send(json.dumps(["1", "1", "room:own", "phx_join", {}]))
        assert await hears(connection) == ["1", "1", "room:own", "phx_reply", {"status": "ok", "response": {}}]
        await usual.join("room:own")
        for number in range(20):
            await connection.send(json.dumps(["1", f"{number}", "room:own", "new_msg", {"n": number}]))
        heard = [await hears(connection) for _ in range(20)]
        assert heard == [[None, None, "room:own", "new_msg", {"n": number}] for number in range(20)]
        assert [await usual.receive() for _ in range(20)] == heard
        await connection.send("no message")
        async with asyncio.timeout(LIMIT):
            await connection.wait_closed()
        assert connection.close_code == 1011


async def test_a_version_that_the_transport_does_not_have(node: Node) -> None:
    async with by_asgi(node, "channels", "vsn=3.0.0") as connection:
        async with asyncio.timeout(LIMIT):
            await connection.wait_closed()
        assert connection.close_code == 4403


async def test_raw_sockets_over_a_transport_of_the_applications_own(node: Node) -> None:
    async with by_asgi(node, "raw", "greet=1&how=well") as connection:
        async with asyncio.timeout(LIMIT):
            assert await connection.recv() == "welcome"
            await connection.send("params")
            assert json.loads(await connection.recv()) == {"greet": "1", "how": "well"}
            await connection.send("close 4444 done")
            await connection.wait_closed()
        assert (connection.close_code, connection.close_reason) == (4444, "done")

    def no_channels() -> bool:
        return bool(node.status()["gateway"]["workers"][0]["channels"] == 0)

    # Those of tests before it may be ending still.
    await asyncio.to_thread(wait_for, no_channels, "there is no channel", node.logged)


async def test_no_error_was_logged(node: Node) -> None:
    """The last test of this node."""
    assert [line for line in node.logged().splitlines() if "ERROR" in line] == []
