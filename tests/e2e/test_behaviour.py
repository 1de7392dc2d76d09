"""What application code may rely on, seen from the wire."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.e2e.node import Node
from tests.e2e.raw import RawClient


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.behaviour:endpoint") as running:
        yield running


def ok(ref: str, topic: str, response: Any, join_ref: str = "1") -> list[Any]:
    return [join_ref, ref, topic, "phx_reply", {"status": "ok", "response": response}]


async def joined(client: RawClient, topic: str = "do:it", params: Any = None) -> None:
    """Join and take the welcome, which comes after the ok."""
    assert await client.join(topic, payload=params) == {"params": params or {}}
    assert (await client.receive())[3] == "welcome"


async def test_a_slow_join_holds_up_nothing_but_its_topic(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.send(["1", "1", "do:slow", "phx_join", {"wait": True}])
        await client.send(["1", "2", "do:slow", "anything", {"n": 1}])
        await client.send(["1", "3", "do:slow", "phx_leave", {}])
        assert (await client.ask([None, "4", "phoenix", "heartbeat", {}]))[1] == "4"
        await client.send(["5", "5", "do:quick", "phx_join", {}])
        assert (await client.receive())[:3] == ["5", "5", "do:quick"]
        assert (await client.receive())[2:4] == ["do:quick", "welcome"]
        await client.send(["5", "6", "do:quick", "go_on", {}])
        assert (await client.receive())[:2] == ["1", "1"]
        assert (await client.receive())[2:4] == ["do:slow", "welcome"]
        assert (await client.receive())[:2] == ["1", "2"]
        assert await client.receive() == ok("3", "do:slow", {})
        assert await client.receive() == ["1", "1", "do:slow", "phx_close", {}]


async def test_a_slow_event_holds_up_its_channel_alone(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client, "do:slow")
        await client.send(["2", "2", "do:quick", "phx_join", {}])
        await client.receive()
        await client.receive()
        await client.send(["1", "3", "do:slow", "wait", {"n": 1}])
        await client.send(["1", "4", "do:slow", "anything", {}])
        assert (await client.ask([None, "5", "phoenix", "heartbeat", {}]))[1] == "5"
        assert (await client.ask(["2", "6", "do:quick", "anything", {}]))[1] == "6"
        await client.send(["2", "7", "do:quick", "go_on", {}])
        assert (await client.receive())[1] == "3"
        assert (await client.receive())[1] == "4"


async def test_what_one_event_causes_comes_in_the_order_of_its_code(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        for ref in map(str, range(20)):
            await client.send(["1", ref, "do:it", "order", {}])
        for ref in map(str, range(20)):
            events = [(await client.receive())[3] for _ in range(5)]
            assert events == ["first", "second", "third", "fourth", "fifth"]
            assert await client.receive() == ["1", ref, "do:it", "phx_reply", {"status": "weird", "response": {}}]


async def test_a_broadcast_on_another_topic_that_the_client_joined_comes_before_the_reply(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client, "do:here")
        await client.send(["2", "2", "do:there", "phx_join", {}])
        await client.receive()
        await client.receive()
        for ref in map(str, range(20)):
            await client.send(["1", ref, "do:here", "broadcast_elsewhere", {"topic": "do:there"}])
            assert await client.receive() == [None, None, "do:there", "elsewhere", {}]
            assert await client.receive() == ok(ref, "do:here", {})
        assert (await client.ask(["1", "n", "do:here", "broadcast_elsewhere", {"topic": "do:nowhere"}]))[1] == "n"


async def test_terminate_pushes_after_the_close_of_a_leave_and_before_the_error_of_a_crash(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client, params={"terminated_by": "do:nobody"})
        await client.send(["1", "2", "do:it", "phx_leave", {}])
        assert await client.receive() == ok("2", "do:it", {})
        assert await client.receive() == ["1", "1", "do:it", "phx_close", {}]
        assert await client.receive() == ["1", None, "do:it", "terminating", {"reason": "left"}]
        await joined(client, params={"terminated_by": "do:nobody"})
        await client.send(["1", "2", "do:it", "garbage", {}])
        assert (await client.receive())[3] == "terminating"
        assert await client.receive() == ["1", "1", "do:it", "phx_error", {"reason": "channel_crash"}]


async def test_terminate_runs_when_the_connection_is_gone(node: Node) -> None:
    async with RawClient(node.url) as watcher:
        await joined(watcher, "do:watch")
        async with RawClient(node.url) as client:
            await joined(client, params={"terminated_by": "do:watch"})
        assert await watcher.receive() == [None, None, "do:watch", "terminated", {"reason": "closed"}]


@pytest.mark.parametrize("event", ["garbage", "unencodable", "push_list", "no_such_event"])
async def test_what_crashes_a_channel(node: Node, event: str) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        await client.send(["1", "2", "do:it", event, {}])
        assert await client.receive() == ["1", "1", "do:it", "phx_error", {"reason": "channel_crash"}]


async def test_a_broadcast_that_is_no_map_is_the_broadcasters_error(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        reply = await client.ask(["1", "2", "do:it", "broadcast_list", {}])
        assert "JSON object" in reply[4]["response"]["refused"]


@pytest.mark.parametrize("how", ["crash", "garbage", "push_early"])
async def test_what_crashes_a_join(node: Node, how: str) -> None:
    async with RawClient(node.url) as client:
        reply = await client.ask(["1", "2", "do:it", "phx_join", {how: 1}])
        assert reply == ["1", "2", "do:it", "phx_reply", {"status": "error", "response": {"reason": "join crashed"}}]
        assert (await client.ask(["1", "3", "do:it", "anything", {}]))[0] is None


async def test_a_join_reply_that_cannot_be_encoded_ends_the_connection(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.send(["1", "1", "do:it", "phx_join", {"unencodable": 1}])
        assert await client.closed() == 1011


async def test_a_refused_join_may_be_tried_again(node: Node) -> None:
    async with RawClient(node.url) as client:
        reply = await client.ask(["1", "1", "do:it", "phx_join", {"refuse": "not yet"}])
        assert reply == ["1", "1", "do:it", "phx_reply", {"status": "error", "response": {"reason": "not yet"}}]
        await joined(client)


@pytest.mark.parametrize("params", ["text", None, [1, 2], 3.5])
async def test_join_parameters_may_be_any_json(node: Node, params: Any) -> None:
    async with RawClient(node.url) as client:
        reply = await client.ask(["1", "1", "exact", "phx_join", params])
        assert reply[4] == {"status": "ok", "response": {"params": params}}


async def test_a_payload_of_the_wrong_type_is_answered_and_ends_nothing(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        reply = await client.ask(["1", "2", "do:it", "wait", {"n": "long"}])
        assert reply[4]["status"] == "error"
        assert reply[4]["response"]["reason"] == "invalid payload"
        assert "$[...]" in reply[4]["response"]["detail"]
        assert (await client.ask(["1", "3", "do:it", "anything", "x"]))[4]["response"] == {
            "event": "anything",
            "payload": "x",
        }


async def test_pubsub_reaches_channels_that_subscribe(node: Node) -> None:
    async with RawClient(node.url) as one, RawClient(node.url) as two:
        for client in (one, two):
            await joined(client)
            assert (await client.ask(["1", "2", "do:it", "subscribe", {"topic": "news"}]))[1] == "2"
        await one.send(["1", "3", "do:it", "tell", {"topic": "news", "message": [1, {"a": None}]}])
        assert [await one.receive(), await one.receive()].count(
            ["1", None, "do:it", "info", {"message": [1, {"a": None}]}]
        ) == 1
        assert await two.receive() == ["1", None, "do:it", "info", {"message": [1, {"a": None}]}]
        await one.send(["1", "4", "do:it", "tell_others", {"topic": "news", "message": "others"}])
        assert await one.receive() == ok("4", "do:it", {})
        assert (await two.receive())[4] == {"message": "others"}
        await one.send(["1", "5", "do:it", "broadcast_elsewhere", {"topic": "news"}])
        assert (await two.receive())[4] == {"message": {"topic": "news", "event": "elsewhere", "payload": {}}}
        await two.send(["1", "6", "do:it", "unsubscribe", {"topic": "news"}])
        assert (await two.receive())[1] == "6"
        await one.send(["1", "7", "do:it", "tell", {"topic": "news", "message": "gone"}])
        assert (await two.ask(["1", "8", "do:it", "anything", {}]))[1] == "8"


async def test_a_plain_message_on_a_channels_topic_goes_to_its_code(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        await client.send(["1", "2", "do:it", "tell", {"topic": "do:it", "message": "psst"}])
        frames = [await client.receive(), await client.receive()]
        assert ["1", None, "do:it", "info", {"message": "psst"}] in frames


async def test_a_mailbox_of_any_task(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        reply = await client.ask(["1", "2", "do:it", "ask_mailbox", {"n": 1}])
        assert reply[4]["response"] == {"received": {"n": 1}}


async def test_a_message_can_be_addressed_to_one_worker(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        here = (await client.ask(["1", "2", "do:it", "tell_worker", {"worker": 0, "topic": "do:it"}]))[4]["response"]
        await client.send(["1", "3", "do:it", "tell_worker", {**here, "topic": "do:it"}])
        assert (await client.receive())[1] == "3"
        assert await client.receive() == [None, None, "do:it", "told", {}]


async def test_the_nodes_own_topics_cannot_be_joined(node: Node) -> None:
    async with RawClient(node.url) as client:
        reply = await client.ask(["1", "1", "\0worker:1", "phx_join", {}])
        assert reply[4]["response"] == {"reason": "unmatched topic"}


async def test_timers_send_unless_cancelled_or_the_channel_has_ended(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        await client.ask(["1", "2", "do:it", "after", {"seconds": 0.01, "message": "late", "cancel": True}])
        await client.ask(["1", "3", "do:it", "after", {"seconds": 0.05, "message": "soon"}])
        assert (await client.receive())[3:] == ["info", {"message": "soon"}]
        # In one breath: the timer is not due between the two.
        await client.send_together(
            ["1", "4", "do:it", "after", {"seconds": 0.05, "message": "never"}], ["1", "5", "do:it", "phx_leave", {}]
        )
        assert (await client.receive())[1] == "4"
        assert (await client.receive())[1] == "5"
        assert (await client.receive())[3] == "phx_close"
        await joined(client)
        await client.ask(["1", "6", "do:it", "after", {"seconds": 0.1, "message": "stop"}])
        assert await client.receive() == ["1", "1", "do:it", "phx_close", {}]


async def test_the_socket_is_read_only_after_connect(node: Node) -> None:
    async with RawClient(node.url, user="ada") as client:
        await client.join("do:it")
        assert (await client.receive())[4] == {"user": "ada"}
        reply = await client.ask(["1", "2", "do:it", "set_on_socket", {}])
        assert "read-only" in reply[4]["response"]["refused"]


async def test_timeouts_work_inside_handlers(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        assert (await client.ask(["1", "2", "do:it", "timeout", {}]))[4]["response"] == {"timed_out": True}


@pytest.mark.parametrize(("how", "status"), [("refused", 403), ("crash", 500), ("garbage", 403)])
async def test_a_refused_connection_is_an_http_status(node: Node, how: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with RawClient(node.url, how=how):
            pass
    assert refused.value.response.status_code == status
    assert refused.value.response.body in (b"", None)


async def test_connect_may_take_its_time(node: Node) -> None:
    async with RawClient(node.url, how="slow") as client:
        await joined(client)


async def test_a_silent_client_is_cut_and_one_that_pings_is_not(node: Node) -> None:
    url = node.url.replace("/socket", "/impatient")
    async with RawClient(url) as silent, RawClient(url) as alive:
        closing = asyncio.ensure_future(silent.closed())
        while not closing.done():
            await alive.ask([None, "1", "phoenix", "heartbeat", {}])
            await asyncio.wait([closing], timeout=0.1)
        assert closing.result() == 1002
        await alive.ask([None, "2", "phoenix", "heartbeat", {}])


async def test_the_applications_own_routes_are_served_on_the_same_port(node: Node) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    for _ in range(2):
        writer.write(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    # A connection that had other requests before may still be upgraded, as behind a proxy that keeps it open.
    writer.write(
        b"GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    writer.close()


async def test_the_applications_own_websocket_routes_are_served_too(node: Node) -> None:
    async with connect(f"ws://127.0.0.1:{node.port}/own/websocket") as websocket:
        await websocket.send("hello")
        assert await websocket.recv() == "hello"
