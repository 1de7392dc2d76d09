"""The client against a real server of our own, and against one that breaks the rules."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus

from roost.client import ChannelEnded, PushFailed, open_connection
from roost.client import connection as module
from roost.client.connection import websocket_url
from roost.testing import LiveNode
from tests.limits import LIMIT


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with LiveNode("examples.playground:endpoint") as node:
        yield f"{node.url}/socket"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a:1/socket", "ws://a:1/socket/websocket?name=b+c&vsn=2.0.0"),
        ("https://a/socket/", "wss://a/socket/websocket?name=b+c&vsn=2.0.0"),
        ("ws://a/socket/websocket?x=1", "ws://a/socket/websocket?x=1&name=b+c&vsn=2.0.0"),
        ("wss://a/socket?vsn=1.0.0", "wss://a/socket/websocket?vsn=1.0.0&name=b+c"),
    ],
)
def test_addresses_are_those_of_phoenix_js(url: str, expected: str) -> None:
    assert websocket_url(url, {"name": "b c"}) == expected


async def test_a_push_is_answered_and_a_broadcast_heard(url: str) -> None:
    async with open_connection(url) as connection, open_connection(url) as other:
        room = await connection.join("room:a")
        also = await other.join("room:a")
        assert await room.push("ping", {"n": 1}) == {"n": 1}
        await room.send("new_msg", {"n": 2})
        assert [(await one.receive()).payload for one in (room, also)] == [{"n": 2}] * 2


async def test_what_is_refused_raises_with_the_answer(url: str) -> None:
    async with open_connection(url) as connection:
        with pytest.raises(PushFailed, match="unmatched topic") as refused:
            await connection.join("nothing here")
        assert refused.value.status == "error"


async def test_a_socket_that_is_not_there_is_refused(url: str) -> None:
    with pytest.raises(InvalidStatus):
        async with open_connection(url + "/nowhere"):
            raise AssertionError


async def test_after_a_leave_nothing_more_comes(url: str) -> None:
    async with open_connection(url) as connection:
        room = await connection.join("room:a")
        await room.leave()
        assert [message async for message in room] == []
        with pytest.raises(ChannelEnded, match="the channel was closed"):
            await room.receive()


async def test_a_closed_connection_ends_its_channels(url: str) -> None:
    async with open_connection(url) as connection:
        room = await connection.join("room:a")
    with pytest.raises(ChannelEnded, match="the connection is closed"):
        await room.receive()
    with pytest.raises(ChannelEnded):
        await room.push("ping")


@asynccontextmanager
async def saying(*messages: str) -> AsyncIterator[str]:
    """A server that lets everybody join and then says these things."""

    async def talk(client: ServerConnection) -> None:
        await client.recv()
        await client.send('["1","1","t","phx_reply",{"status":"ok","response":{}}]')
        for message in messages:
            await client.send(message)
        await client.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/socket"


async def test_what_is_no_message_ends_the_connection() -> None:
    async with saying("nonsense") as url, open_connection(url) as connection:
        channel = await connection.join("t")
        with pytest.raises(ChannelEnded, match="no message of V2"):
            await channel.receive()


async def test_a_crash_ends_the_channel() -> None:
    async with saying('["1","1","t","phx_error",{}]') as url, open_connection(url) as connection:
        channel = await connection.join("t")
        with pytest.raises(ChannelEnded, match="has crashed"):
            await channel.receive()


async def test_messages_of_an_earlier_join_are_dropped() -> None:
    async with saying('["0",null,"t","old",{}]', '["1",null,"t","new",{}]') as url, open_connection(url) as connection:
        assert (await (await connection.join("t")).receive()).event == "new"


async def test_what_nobody_reads_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNREAD", 2)
    async with saying(*['[null,null,"t","news",{}]'] * 3) as url, open_connection(url) as connection:
        channel = await connection.join("t")
        await asyncio.wait_for(connection.closed.wait(), LIMIT)
        assert [message.event async for message in channel] == ["news", "news"]
        with pytest.raises(ChannelEnded, match="more than 2 messages of 't' were not read"):
            await channel.receive()
