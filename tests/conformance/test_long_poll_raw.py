"""Sockets without channels over long-poll, as those of upstream's cases of section 10.4 are, on two workers."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.http import request, upgrade
from tests.e2e.long_poll import NDJSON, LongPollClient, body_of
from tests.e2e.node import Node
from tests.limits import LIMIT


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.transports:endpoint", shards=1, workers=2) as running:
        yield running


async def opened(node: Node, path: str = "/polled/longpoll", **params: str) -> LongPollClient:
    return await LongPollClient(node.port, path, **params).open()


async def says(client: LongPollClient, text: str) -> int:
    return await client.post(text.encode(), content_type=None)


async def hears(client: LongPollClient, count: int = 1) -> list[Any]:
    """So many messages; polls that are answered with nothing are repeated."""
    heard: list[Any] = []
    async with asyncio.timeout(LIMIT):
        while len(heard) < count:
            heard += (await client.get())["messages"]
    return heard


async def test_ls_02_an_answer_at_once(node: Node) -> None:
    client = await opened(node, greet="me")
    assert await hears(client) == ["welcome"]
    assert await says(client, "params") == 200
    assert json.loads((await hears(client))[0]) == {"vsn": "2.0.0", "greet": "me"}


async def test_ls_03_variables_of_the_path(node: Node) -> None:
    client = await opened(node, "/polled/a%20b/deep/7/poll", key="value")
    assert await says(client, "params") == 200
    assert json.loads((await hears(client))[0]) == {"vsn": "2.0.0", "room": "a b", "seat": "7", "key": "value"}


async def test_ls_04_and_05_the_token_in_a_header_counts_more(node: Node) -> None:
    client = await opened(node)
    header = {"X-Phoenix-LongPoll-Token": str(client.token)}
    client.token = "bogus"
    assert body_of(await client.request("POST", header, b"params")) == {"status": 200}
    assert (await client.get(header))["status"] == 200


async def test_ls_07_messages_of_the_servers_own(node: Node) -> None:
    client = await opened(node)
    assert await says(client, "subscribe news") == 200
    assert await hears(client) == ["subscribed news"]
    other = await opened(node)
    assert await says(other, "broadcast news") == 200
    assert await hears(client) == ["broadcast news said {'by': 'a raw socket'}"]
    assert await says(client, "later hello") == 200
    assert await hears(client) == ["info hello"]


async def test_refused_connects(node: Node) -> None:
    assert await LongPollClient(node.port, "/polled/longpoll", how="refused").get() == {"status": 403}
    answer = await LongPollClient(node.port, "/polled/longpoll", how="crash").request("GET")
    assert answer.status == 500


async def test_lines_of_a_batch_are_texts_that_begin_with_a_bracket_or_base64(node: Node) -> None:
    """As upstream has it for every kind of socket; this one does nothing with either."""
    client = await opened(node)
    lines = [b"[1]", base64.b64encode(b"\xff")]
    assert await client.post(*lines, content_type=NDJSON) == 200
    assert await says(client, "params") == 200
    assert len(await hears(client)) == 1


@pytest.mark.parametrize("words", ["close 4000", "crash", "bytes are not sent to a poll"])
async def test_the_socket_ends_its_session(node: Node, words: str) -> None:
    client = await opened(node)
    assert await says(client, words) in (200, 408)
    async with asyncio.timeout(LIMIT):
        while (body := await client.get())["status"] != 410:
            assert body["status"] == 204
    client.token = body["token"]
    assert await says(client, "params") == 200


async def test_a_disconnect_by_id_ends_the_session(node: Node) -> None:
    client, other = await opened(node, id="user:1"), await opened(node)
    assert await says(other, "disconnect user:1") == 200
    async with asyncio.timeout(LIMIT):
        while (await client.get())["status"] != 410:  # the first one may have come before the subscription stood
            assert await says(other, "disconnect user:1") == 200


async def test_a_mount_without_websocket(node: Node) -> None:
    assert (await request(node.port, "/polled/websocket")).status == 404
    assert (await upgrade(node.port, "/polled/room/websocket")).status == 101
    assert "/polled/longpoll (long-poll)" in node.run("routes").stdout
