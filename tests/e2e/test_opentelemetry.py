"""Spans of a worker process: what they say, whose children they are, and how many there are in a large room."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from roost.opentelemetry import chance, instrument
from tests.applications.traced import endpoint
from tests.e2e.node import ROOT, Node
from tests.e2e.raw import RawClient

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
MEMBERS = 12
SHOUTS = 120


@pytest.fixture(scope="module")
def traced() -> Iterator[Node]:
    with Node("tests.applications.traced:endpoint", shards=1, workers=1) as running:
        yield running


async def spans(client: RawClient, topic: str) -> list[dict[str, Any]]:
    """Those since it was last asked, without that of asking."""
    reply = await client.ask(["1", "99", topic, "spans", {}])
    return [span for span in reply[4]["response"]["spans"] if span["attributes"].get("roost.event") != "spans"]


async def test_what_a_client_does_is_told(traced: Node) -> None:
    before = time.time()
    async with RawClient(traced.url) as client:
        await client.join("room:1")
        await client.ask(["1", "2", "room:1", "shout", {"secret": "hunter2"}])
        await client.receive()
        await client.ask(["3", "3", "room:closed", "phx_join", {"secret": "hunter2"}])
        found = await spans(client, "room:1")
    assert [span["name"] for span in found] == [
        *("connect UserSocket", "join RoomChannel", "handle_in RoomChannel", "join RoomChannel")
    ]
    connected, joined, handled, refused = (span["attributes"] for span in found)
    assert connected == {
        "roost.socket": "UserSocket",
        "roost.transport": "websocket",
        "roost.vsn": "2.0.0",
        "roost.result": "ok",
        "client.address": "127.0.0.1",
        "url.path": "/socket/websocket",
    }
    assert joined == {"roost.channel": "RoomChannel", "roost.topic": "room:1", "roost.result": "ok"}
    assert (handled["roost.topic"], handled["roost.event"], handled["roost.chance"]) == ("room:1", "shout", 1)
    assert (refused["roost.topic"], refused["roost.result"]) == ("room:closed", "error")
    assert "hunter2" not in str(found)
    assert all(before <= span["began"] <= span["ended"] <= time.time() for span in found)
    assert len({span["trace"] for span in found}) == 4
    assert [span["parent"] for span in found] == [None] * 4
    assert [span["links"] for span in found] == [[], *[[found[0]["span"]]] * 3]


async def test_they_are_part_of_what_the_request_was_part_of(traced: Node) -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    async with RawClient(traced.url) as client, connect(client._url, additional_headers=headers) as other:
        await client.join("room:1")
        await other.send('["1","1","room:2","phx_join",{}]')
        await other.recv()
        await other.send('["1","2","room:2","shout",{}]')
        await other.recv()
        found = [span for span in await spans(client, "room:1") if span["trace"] == TRACE]
    assert [span["name"].split()[0] for span in found] == ["connect", "join", "handle_in"]
    assert {span["parent"] for span in found} == {SPAN}


async def test_one_who_is_refused_has_a_span_too(traced: Node) -> None:
    async with RawClient(traced.url) as client:
        await client.join("room:1")
        with pytest.raises(InvalidStatus):
            await connect(client._url + "&refuse=1")
        *_, refused = await spans(client, "room:1")
    assert (refused["name"], refused["attributes"]["roost.result"]) == ("connect UserSocket", "error")


async def test_in_a_large_room_some_events_have_spans(traced: Node) -> None:
    async with AsyncExitStack() as stack:
        client, *others = [await stack.enter_async_context(RawClient(traced.url)) for _ in range(MEMBERS)]
        for one in (client, *others):
            await one.join("room:large")
        for number in range(SHOUTS):
            await client.send(["1", str(number), "room:large", "shout", {}])
            for one in (client, client, *others):
                await one.receive()
        found = [span for span in await spans(client, "room:large") if span["name"] == "handle_in RoomChannel"]
    sampled = [span["attributes"] for span in found if span["attributes"]["roost.fan_out"]]
    assert {one["roost.fan_out"] for one in sampled} == {MEMBERS}
    assert {one["roost.chance"] for one in sampled} == {4 / MEMBERS}
    # One in three, by chance: that it is none or all of so many will not happen.
    assert 0 < len(sampled) < SHOUTS - 1


def test_a_topic_has_spans_of_all_events_up_to_a_number_of_subscribers() -> None:
    assert [chance(members, 100) for members in (0, 1, 100, 1000, 10_000)] == [1, 1, 1, 0.1, 0.01]


def test_once_is_enough() -> None:
    with pytest.raises(ValueError, match="already"):
        instrument(endpoint)
    with pytest.raises(ValueError, match="from 1 on"):
        instrument(endpoint, all_up_to=0)


def test_who_does_not_ask_for_it_does_not_load_it() -> None:
    imported = "sys, roost.gateway.processes.worker_process, examples.chat"
    code = f"import {imported}; print([m for m in sys.modules if 'opentel' in m])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
