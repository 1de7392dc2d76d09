"""Clients that do too much, and connections whose time has come, on a real node."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from roost.client import ChannelEnded, PushFailed, open_connection
from tests.e2e.node import Node
from tests.limits import LIMIT


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.limited:endpoint", workers=1, shards=1) as node:
        yield node


def address(node: Node, path: str) -> str:
    return f"ws://127.0.0.1:{node.port}{path}"


async def test_events_that_come_too_often_are_answered_and_not_handled(node: Node) -> None:
    async with open_connection(address(node, "/events")) as connection:
        room = await connection.join("room:a")
        for _ in range(3):
            await room.push("count")
        with pytest.raises(PushFailed) as refused:
            await room.push("count")
        assert refused.value.payload["reason"] == "too often"
        assert 0 < refused.value.payload["retry_after"] <= 100
        await room.leave()  # which is never limited
        room = await connection.join("room:b")
        with pytest.raises(PushFailed):
            await room.push("count")


async def test_joins_that_come_too_often_are_answered(node: Node) -> None:
    async with open_connection(address(node, "/joins")) as connection:
        for number in range(2):
            await connection.join(f"room:{number}")
        with pytest.raises(PushFailed) as refused:
            await connection.join("room:2")
        assert refused.value.payload["reason"] == "too often"


async def test_connects_that_come_too_often_are_told_when_to_come_again(node: Node) -> None:
    for _ in range(2):
        async with open_connection(address(node, "/connects")):
            pass
    with pytest.raises(InvalidStatus) as refused:
        async with open_connection(address(node, "/connects")):
            raise AssertionError
    assert refused.value.response.status_code == 429
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 1000


async def test_a_connection_ends_when_its_time_has_come(node: Node) -> None:
    began = time.time()
    async with open_connection(address(node, "/expiring"), {"expires": str(began + 2)}) as connection:
        room = await connection.join("room:a")
        async with asyncio.timeout(LIMIT):
            with pytest.raises(ChannelEnded, match=r"4010.*expired"):
                await room.receive()
        assert time.time() >= began + 2


async def test_a_connection_that_was_renewed_goes_on(node: Node) -> None:
    began = time.time()
    async with open_connection(address(node, "/expiring"), {"expires": str(began + 2)}) as connection:
        room = await connection.join("room:a")
        await room.push("renew", {"expires": began + 3})
        async with asyncio.timeout(LIMIT):
            with pytest.raises(ChannelEnded, match="4010"):
                await room.receive()
        assert time.time() >= began + 3
