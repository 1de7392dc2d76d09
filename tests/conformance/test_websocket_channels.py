"""Channels over WebSocket: upstream's cases of section 10.1, against a node of real processes.

Those that concern connecting are in test_connecting.py, those that concern logs in test_logging.py.
"""

import json
from collections.abc import Iterator

import pytest

from tests.conformance.either_client import VERSIONS, EitherClient
from tests.e2e.http import request, upgrade
from tests.e2e.node import Node

UNMATCHED = {"reason": "unmatched topic"}
CRASHED = {"reason": "join crashed"}

both = pytest.mark.parametrize("vsn", VERSIONS)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    # One shard: with two, a client of the other one may still hear what a test before it broadcast on the same topic.
    running = Node("tests.applications.conformance:endpoint", shards=1, workers=1)
    running.environment["ROOST_PUBLIC_HOST"] = "phoenix.example"
    with running:
        yield running


@both
async def test_wc_02_join_leave_and_events(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.enters("room:lobby")
        await client.says("2", "room:lobby", "new_msg", {"body": "hi!"})
        await client.hears_push("room:lobby", "new_msg", {"body": "hi!", "transport": "websocket"})
        await client.says("3", "room:lobby", "phx_leave")
        await client.hears_reply("3", "room:lobby")
        await client.hears_close("room:lobby")
        await client.hears_push("room:lobby", "you_left", {"message": "bye!"})
        await client.says("4", "room:lobby", "new_msg", {"body": "hi!"})
        await client.hears_reply("4", "room:lobby", UNMATCHED, status="error", join_ref=None)


@both
async def test_wc_03_the_101st_channel(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        for number in range(100):
            await client.joins(f"callbacks:{number}", ref=str(number), response={"flavour": "none"})
        await client.says("101", "callbacks:101", "phx_join", join_ref="101")
        refusal = {"reason": "too many channels joined"}
        await client.hears_reply("101", "callbacks:101", refusal, status="error", join_ref="101")
        # Joining again what is joined is no further channel.
        await client.says("102", "callbacks:7", "phx_join", join_ref="102")
        await client.hears_reply("102", "callbacks:7", {"flavour": "none"}, join_ref="102")


@both
async def test_wc_16_a_crash_of_a_channel(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.enters("room:crash")
        await client.says("2", "room:crash", "boom")
        await client.hears_push("room:crash", "you_left", {"message": "bye!"})
        await client.hears_crash("room:crash")
        await client.enters("room:crash")


@both
async def test_wc_17_a_client_that_closes_ends_its_channels(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher:
        await watcher.enters("room:watch")
        async with EitherClient(node.url, vsn) as client:
            await client.enters("room:closed", {"tell": "room:watch"})
        await watcher.hears_broadcast("room:watch", "left", {"topic": "room:closed", "reason": "closed"})


@both
async def test_wc_18_an_event_without_a_join(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as member, EitherClient(node.url, vsn) as client:
        await member.enters("room:closed-club")
        await client.says("1", "room:closed-club", "new_msg", {"body": "hi!"})
        await client.hears_reply("1", "room:closed-club", UNMATCHED, status="error", join_ref=None)
        await member.says("2", "room:closed-club", "new_msg", {"body": "mine"})
        await member.hears_push("room:closed-club", "new_msg", {"body": "mine", "transport": "websocket"})


@pytest.mark.parametrize(("origin", "status"), [("https://phoenix.example", 101), ("http://localhost", 403)])
async def test_or_04_pages_of_the_configured_host(node: Node, origin: str, status: int) -> None:
    assert (await upgrade(node.port, "/socket/websocket?vsn=2.0.0", {"Origin": origin})).status == status


@both
async def test_wc_22_disconnect_by_id(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn, id=f"user:{vsn}") as client:
        await watcher.joins("callbacks:watch", response={"flavour": "none"})
        for ref, topic in (("1", "room:one"), ("2", "room:two")):
            await client.enters(topic, {"tell": "callbacks:watch"}, ref=ref)
        # Another event on that topic means nothing to the connection, which hears what is sent after it.
        await watcher.says("2", "callbacks:watch", "elsewhere", {"topic": f"user:{vsn}", "event": "connect"})
        await watcher.says("2", "callbacks:watch", "elsewhere", {"topic": "room:one", "event": "later"})
        await client.hears_broadcast("room:one", "later", {})
        await watcher.says("3", "callbacks:watch", "elsewhere", {"topic": f"user:{vsn}", "event": "disconnect"})
        ended = [(await watcher.receive()) for _ in range(2)]
        payloads = [message["payload"] if isinstance(message, dict) else message[4] for message in ended]
        assert sorted(payload["topic"] for payload in payloads) == ["room:one", "room:two"]
        assert {payload["reason"] for payload in payloads} == {"disconnected"}
        assert await client.closed() == 1001


@pytest.mark.parametrize(("id_", "why"), [("id[]=x", "must be a str or None"), ("id=%00x", "zero byte")])
async def test_an_id_that_is_no_topic_of_the_applications_is_refused(node: Node, id_: str, why: str) -> None:
    """The client chose it, the application took it: 403, and the application's author is told."""
    answer = await upgrade(node.port, f"/socket/websocket?vsn=2.0.0&{id_}")
    assert (answer.status, answer.body) == (403, b"")
    answer = await request(node.port, f"/polled/longpoll?vsn=2.0.0&{id_}")
    assert json.loads(answer.body)["status"] == 403
    told = [line for line in node.logged().splitlines() if why in line]
    assert len(told) == 2
    assert all("UserSocket.id" in line for line in told)
    assert "Fatal error" not in node.logged()


@both
async def test_wc_23_a_duplicate_join(node: Node, vsn: str) -> None:
    """Both are answered; then the old channel is closed under its own refs, before the new one sends anything."""
    async with EitherClient(node.url, vsn) as client:
        for ref in ("1", "2"):
            await client.joins("room:greets twice", {"tell": None}, ref=ref)
            if ref == "2":
                await client.hears_close("room:greets twice", ref="1")
            await client.hears_push("room:greets twice", "joined", {"status": "connected"}, ref)
            await client.hears_broadcast("room:greets twice", "user_entered", {"user": "somebody"})
        await client.joins("callbacks:twice", ref="1", response={"flavour": "none"})
        await client.joins("callbacks:twice", ref="2", response={"flavour": "none"})
        await client.hears_close("callbacks:twice", ref="1")
        await client.says("3", "callbacks:twice", "push", {"n": 1}, join_ref="2")
        await client.hears_push("callbacks:twice", "pushed", {"n": 1}, ref="2")


@both
async def test_wc_25_a_quiet_client(node: Node, vsn: str) -> None:
    watch, impatient = f"callbacks:watch:{vsn}", node.url.replace("/socket", "/impatient")
    async with EitherClient(node.url, vsn) as watcher, EitherClient(impatient, vsn) as client:
        await watcher.joins(watch, response={"flavour": "none"})
        await client.enters("room:quiet", {"tell": watch})
        await client.says("2", "phoenix", "heartbeat", join_ref=None)
        await client.hears_reply("2", "phoenix", join_ref=None)
        assert await client.closed() == 1002
        await watcher.hears_broadcast(watch, "left", {"topic": "room:quiet", "reason": "inactive"})


@both
async def test_wc_26_an_unmatched_join(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.says("1", "unmatched", "phx_join")
        await client.hears_reply("1", "unmatched", UNMATCHED, status="error", join_ref=None)


async def test_wc_27_a_channel_with_one_method_for_everything(node: Node) -> None:
    async with EitherClient(node.url, "2.0.0") as client:
        await client.says("1", "custom:error", "phx_join", {"action": "error"})
        await client.hears_reply("1", "custom:error", {"reason": "refused"}, status="error")
        await client.says("2", "custom:crash", "phx_join", {"action": "crash"}, join_ref="2")
        await client.hears_reply("2", "custom:crash", CRASHED, status="error", join_ref="2")
        await client.joins("custom:ok", {"action": "ok"}, response={"action": "ok"})
        await client.says("3", "custom:ok", "anything", [1])
        await client.hears_reply("3", "custom:ok", {"event": "anything", "payload": [1]})
        await client.says("4", "custom:ok", "close")
        await client.hears_close("custom:ok")


async def test_wc_28_binary(node: Node) -> None:
    async with EitherClient(node.url, "2.0.0") as client:
        await client.enters("room:bin")
        names = b"12room:binbinary_event"
        await client.connection.send(b"\0\1\1\x08\x0c" + names + b"\xff\xfe")
        assert await client.connection.recv() == b"\0\1\x08\x0c" + b"1room:binbinary_event" + b"\0\1\2"
        assert await client.connection.recv() == b"\1\1\1\x08\2" + b"12room:binok" + b"\xff\xfe\0\1"
