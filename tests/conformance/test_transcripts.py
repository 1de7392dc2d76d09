"""The worked transcripts of section 12, the odd values of 1.1 to 1.7, and the bytes of 1.5, as a node answers them."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.e2e.node import Node
from tests.e2e.raw import RawClient

UNMATCHED = {"response": {"reason": "unmatched topic"}, "status": "error"}
IMAGE = bytes.fromhex("deadbeef")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    # One shard: with two, a client of the other one may still hear what a test before it broadcast on the same topic.
    with Node("tests.applications.conformance:endpoint", shards=1, workers=1) as running:
        yield running


@pytest.fixture
def url(node: Node) -> str:
    return node.url.replace("/socket", "/transcripts")


@pytest.fixture
async def client(url: str) -> AsyncIterator[RawClient]:
    async with RawClient(url) as connected:
        yield connected


def ok(join_ref: Any, ref: Any, topic: str, response: Any = None) -> list[Any]:
    payload = {"response": {"got": {}} if response is None else response, "status": "ok"}
    return [join_ref, ref, topic, "phx_reply", payload]


async def hears_nothing(client: RawClient) -> None:
    """What was sent before was dropped: the next message is the answer to this."""
    heartbeat = await client.ask([None, "nothing", "phoenix", "heartbeat", {}])
    assert heartbeat == ok(None, "nothing", "phoenix", {})


async def test_transcript_a_join_echo_leave(client: RawClient) -> None:
    assert await client.ask(["1", "1", "room:a", "phx_join", {"x": 1}]) == ok("1", "1", "room:a", {"got": {"x": 1}})
    assert await client.ask(["1", "2", "room:a", "echo", {"k": "v"}]) == ok("1", "2", "room:a", {"k": "v"})
    assert await client.ask(["1", "3", "room:a", "phx_leave", {}]) == ok("1", "3", "room:a", {})
    assert await client.receive() == ["1", "1", "room:a", "phx_close", {}]
    assert await client.ask(["1", "4", "room:a", "phx_leave", {}]) == ok("1", "4", "room:a", {})
    await hears_nothing(client)


async def test_transcript_b_duplicate_join_and_stale_messages(client: RawClient) -> None:
    assert await client.ask(["1", "1", "room:a", "phx_join", {}]) == ok("1", "1", "room:a")
    assert await client.ask(["6", "9", "room:a", "phx_join", {"n": 2}]) == ok("6", "9", "room:a", {"got": {"n": 2}})
    assert await client.receive() == ["1", "1", "room:a", "phx_close", {}]
    await client.send(["1", "10", "room:a", "echo", {}])
    await client.send(["1", "10", "room:a", "phx_leave", {}])
    await hears_nothing(client)
    assert await client.ask([None, "11", "room:a", "echo", {}]) == ok("6", "11", "room:a", {})
    assert await client.ask(["6", None, "room:a", "echo", {}]) == ok("6", None, "room:a", {})
    assert await client.ask(["6", 7, "room:a", "echo", {}]) == ok("6", 7, "room:a", {})


async def test_transcript_c_errors(client: RawClient) -> None:
    unmatched = await client.ask(["1", "8", "room:zz", "echo", {}])
    assert unmatched == [None, "8", "room:zz", "phx_reply", UNMATCHED]
    unmatched = await client.ask(["5", "9", "nomatch", "phx_join", {}])
    assert unmatched == [None, "9", "nomatch", "phx_reply", UNMATCHED]
    refused = await client.ask(["5", "9", "room:err", "phx_join", {}])
    assert refused == ["5", "9", "room:err", "phx_reply", {"response": {"reason": "nope"}, "status": "error"}]
    crashed = await client.ask(["5", "9", "room:raise", "phx_join", {}])
    assert crashed[:4] == ["5", "9", "room:raise", "phx_reply"]
    assert crashed[4] == {"response": {"reason": "join crashed"}, "status": "error"}
    await client.join("room:b")
    crashed = await client.ask(["1", "2", "room:b", "raise", {}])
    assert crashed == ["1", "1", "room:b", "phx_error", {"reason": "channel_crash"}]
    await client.join("room:b")
    assert await client.ask(["1", "2", "room:b", "stopreply", {}]) == ok("1", "2", "room:b", {"bye": 1})
    assert await client.receive() == ["1", "1", "room:b", "phx_close", {}]
    for number in range(5):
        await client.join(f"room:{number}")
    refused = await client.ask(["9", "9", "room:e", "phx_join", {}])
    assert refused[:4] == ["9", "9", "room:e", "phx_reply"]
    assert refused[4] == {"response": {"reason": "too many channels joined"}, "status": "error"}
    await client.connection.send("hello")
    assert await client.closed() == 1011
    assert client.connection.close_reason == ""


async def test_transcript_d_join_without_join_ref(client: RawClient) -> None:
    assert await client.ask([None, "22", "room:d", "phx_join", {}]) == ok(None, "22", "room:d")
    await client.send(["22", "23", "room:d", "echo", {}])
    await hears_nothing(client)
    assert await client.ask([None, "24", "room:d", "phx_leave", {}]) == ok("22", "24", "room:d", {})
    assert await client.receive() == [None, None, "room:d", "phx_close", {}]


async def test_transcript_e_heartbeats(client: RawClient) -> None:
    assert await client.ask([None, "3", "phoenix", "heartbeat", {}]) == ok(None, "3", "phoenix", {})
    assert await client.ask(["77", "4", "phoenix", "heartbeat", {}]) == ok(None, "4", "phoenix", {})
    await client.connection.send(b"\0\0\1\7\x092phoenixheartbeat")
    assert await client.receive() == ok(None, "2", "phoenix", {})
    other = await client.ask([None, "5", "phoenix", "other", {}])
    assert other == [None, "5", "phoenix", "phx_reply", UNMATCHED]


@pytest.mark.parametrize("more", [{}, {"join_ref": "7"}, {"other": 1}])
async def test_transcript_f_v1(url: str, more: dict[str, Any]) -> None:
    async with RawClient(url, "1.0.0") as client:
        join = {"topic": "room:a", "event": "phx_join", "payload": {"a": 1}, "ref": "1", **more}
        reply = {"response": {"got": {"a": 1}}, "status": "ok"}
        assert await client.ask(join) == {"event": "phx_reply", "payload": reply, "ref": "1", "topic": "room:a"}


async def test_without_a_version_a_client_speaks_v1(url: str) -> None:
    async with RawClient(url, None) as client:
        reply = await client.ask({"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": "1"})
        assert reply["payload"] == {"response": {}, "status": "ok"}


async def test_transcript_h_a_slow_join_holds_up_its_topic_alone(client: RawClient, url: str) -> None:
    """Deliberately better than Phoenix, where the heartbeat would be answered behind the join."""
    await client.send(["1", "1", "room:slow", "phx_join", {}])
    await client.send(["1", "2", "room:slow", "echo", {"n": 1}])
    assert await client.ask([None, "3", "phoenix", "heartbeat", {}]) == ok(None, "3", "phoenix", {})
    await client.join("room:quick", "4")
    await client.send(["4", "5", "room:quick", "open", {}])
    assert await client.receive() == ok("1", "1", "room:slow")
    assert await client.receive() == ok("1", "2", "room:slow", {"n": 1})


async def test_transcript_i_whoever_is_connected_is_told_to_come_back() -> None:
    """Deliberately better than Phoenix: a client without channels gets 1000 there, and phoenix.js stays away."""
    with Node("tests.applications.conformance:endpoint", shards=1, workers=1) as node:
        async with RawClient(node.url) as two, RawClient(node.url) as one, RawClient(node.url) as none:
            for client, topic in ((two, "callbacks:a"), (two, "callbacks:b"), (one, "callbacks:a")):
                await client.join(topic)
            assert node.gateway is not None
            node.gateway.terminate()
            assert [await client.closed() for client in (two, one, none)] == [1012, 1012, 1012]


@pytest.mark.parametrize("topic", [None, 7, ["room:a"], {"a": 1}])
@pytest.mark.parametrize("event", ["phx_join", "echo", None, 7])
async def test_odd_topics_and_events_are_unmatched(client: RawClient, topic: Any, event: Any) -> None:
    """Section 1.7: the reply echoes the odd topic, and the connection goes on."""
    assert await client.ask(["1", "1", topic, event, {}]) == [None, "1", topic, "phx_reply", UNMATCHED]
    await hears_nothing(client)


async def test_refs_are_compared_with_their_types(client: RawClient) -> None:
    """Section 1.1: 1 is not "1"."""
    assert await client.ask([1, 2, "room:a", "phx_join", {}]) == ok(1, 2, "room:a")
    for stale in ("1", 1.0, True):
        await client.send([stale, 3, "room:a", "echo", {}])
    await hears_nothing(client)
    assert await client.ask([1, 4, "room:a", "echo", {}]) == ok(1, 4, "room:a", {})


async def test_what_follows_the_fifth_element_is_ignored(client: RawClient) -> None:
    assert await client.ask(["1", "1", "room:a", "phx_join", {}, "more", [6]]) == ok("1", "1", "room:a")


@pytest.mark.parametrize("payload", ["text", None, 7, [1, {"a": None}], True])
async def test_payloads_may_be_any_json(client: RawClient, payload: Any) -> None:
    assert await client.ask(["1", "1", "room:a", "phx_join", payload]) == ok("1", "1", "room:a", {"got": payload})
    reply = await client.ask(["1", "2", "room:a", "echo", payload])
    assert reply == ["1", "2", "room:a", "phx_reply", {"response": payload, "status": "ok"}]


@pytest.mark.parametrize(
    ("vsn", "message"),
    [
        *(("2.0.0", text) for text in ("", "[]", "{}", '["1","1","t","e"]', '["1","1","t","e",NaN]', b"", b"\1")),
        *(("2.0.0", data) for data in (b"\2\1\1te", b"\0\xff\0\0\0")),
        *(("1.0.0", text) for text in ("", "[]", '{"topic":"t","event":"e","payload":{}}')),
    ],
)
async def test_malformed_messages_end_the_connection(url: str, vsn: str, message: str | bytes) -> None:
    """Section 1.7: with 1011 and no reason."""
    async with RawClient(url, vsn) as client:
        await client.connection.send(message)
        assert await client.closed() == 1011
        assert client.connection.close_reason == ""


async def test_v1_may_come_in_binary_frames(url: str) -> None:
    async with RawClient(url, "1.0.0") as client:
        message = {"topic": "room:a", "event": "phx_join", "payload": {}, "ref": "1"}
        await client.connection.send(json.dumps(message).encode())
        assert (await client.receive())["ref"] == "1"


async def test_the_bytes_of_section_1_5(client: RawClient) -> None:
    await client.join("room:lobby", "7")
    await client.connection.send(
        bytes.fromhex("00 01 02 0a 03 37 31 32 72 6f 6f 6d 3a 6c 6f 62 62 79 69 6d 67 de ad be ef")
    )
    for frame in (
        "00 01 0a 03    37       72 6f 6f 6d 3a 6c 6f 62 62 79 69 6d 67 de ad be ef",
        "02 0a 03                72 6f 6f 6d 3a 6c 6f 62 62 79 69 6d 67 de ad be ef",
        "01 01 02 0a 02 37 31 32 72 6f 6f 6d 3a 6c 6f 62 62 79 6f 6b    de ad be ef",
    ):
        assert await client.connection.recv() == bytes.fromhex(frame)


async def test_a_binary_push_with_an_empty_join_ref_is_stale(client: RawClient) -> None:
    """Section 1.5: an empty join_ref of a binary message is a text, and only null counts as none."""
    await client.join("room:lobby", "7")
    await client.connection.send(b"\0\0\1\x0a\x03" + b"2room:lobbyimg" + IMAGE)
    await hears_nothing(client)


async def test_a_binary_join_gives_its_bytes_to_join(client: RawClient) -> None:
    await client.connection.send(b"\0\1\1\x06\x08" + b"11room:aphx_join" + IMAGE)
    assert await client.connection.recv() == b"\1\1\1\x06\2" + b"11room:aok" + IMAGE


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
async def test_sk_01_the_first_route_that_matches_serves(url: str, vsn: str) -> None:
    async with RawClient(url, vsn) as client:
        for topic, channel in (("food:1", "FirstChannel"), ("foo", "SecondChannel"), ("fo", None)):
            old = {"topic": topic, "event": "phx_join", "payload": {}, "ref": "1"}
            reply = await client.ask(old if vsn == "1.0.0" else ["1", "1", topic, "phx_join", {}])
            response = (reply["payload"] if vsn == "1.0.0" else reply[4])["response"]
            assert response == ({"channel": channel} if channel else UNMATCHED["response"])
