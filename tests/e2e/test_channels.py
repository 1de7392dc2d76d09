"""Channels as the official client sees them, on a node of several processes."""

import asyncio

from tests.e2e.node import Node
from tests.e2e.phoenix_js import Channel, PhoenixJs
from tests.e2e.raw import RawClient


async def on_different_workers(phoenix: PhoenixJs, node: Node, topic: str) -> tuple[Channel, Channel]:
    """Two channels on one topic whose clients are connected to different workers."""
    first = await (await phoenix.connect(node.url)).join(topic)
    worker = (await first.push("where"))[1]["worker"]
    for _ in range(50):
        client = await phoenix.connect(node.url)
        second = await client.join(topic)
        if (await second.push("where"))[1]["worker"] != worker:
            return first, second
        client.tell("disconnect")
    raise AssertionError("50 connections came to one worker")


async def test_numbers_tick(phoenix: PhoenixJs, node: Node) -> None:
    client = await phoenix.connect(node.url)
    positive = await client.join("numbers:positive")
    negative = await client.join("numbers:negative")
    await asyncio.gather(
        positive.hears("update", {"number": 1}),
        positive.hears("update", {"number": 2}),
        negative.hears("update", {"number": -2}),
    )


async def test_a_join_is_refused_with_a_reason(phoenix: PhoenixJs, node: Node) -> None:
    client = await phoenix.connect(node.url)
    _, verdict = await client.try_to_join("numbers:imaginary")
    assert (verdict["joined"], verdict["response"]) == ("error", {"reason": "unauthorized"})


async def test_a_topic_without_a_route_is_unmatched(phoenix: PhoenixJs, node: Node) -> None:
    client = await phoenix.connect(node.url)
    _, verdict = await client.try_to_join("nobody:here")
    assert (verdict["joined"], verdict["response"]) == ("error", {"reason": "unmatched topic"})


async def test_chat_between_clients_on_different_workers(phoenix: PhoenixJs, node: Node) -> None:
    here, there = await on_different_workers(phoenix, node, "room:chat")
    here.send("new_msg", {"body": "hello"})
    await asyncio.gather(here.hears("new_msg", {"body": "hello"}), there.hears("new_msg", {"body": "hello"}))
    there.send("new_msg", {"body": "hello yourself"})
    await asyncio.gather(
        here.hears("new_msg", {"body": "hello yourself"}), there.hears("new_msg", {"body": "hello yourself"})
    )


async def test_broadcast_from_leaves_out_the_sender_alone(phoenix: PhoenixJs, node: Node) -> None:
    here, there = await on_different_workers(phoenix, node, "room:others")
    here.send("others", {"n": 1})
    await there.hears("others", {"n": 1})
    there.send("others", {"n": 2})
    await here.hears("others", {"n": 2})
    assert here.payloads("others") == [{"n": 2}]
    assert there.payloads("others") == [{"n": 1}]


async def test_own_broadcast_comes_before_the_reply_that_follows_it(phoenix: PhoenixJs, node: Node) -> None:
    channel = await (await phoenix.connect(node.url)).join("room:order")
    order = []
    for number in range(200):
        channel.send("new_msg", {"n": number})
        order.append(channel.send("ping", {"n": number}))
    await channel.sees(reply=order[-1])
    seen = [
        ("broadcast", one["payload"]["n"]) if one.get("event") == "new_msg" else ("reply", one["response"]["n"])
        for one in phoenix.seen
        if one.get("channel") == channel.name and (one.get("event") == "new_msg" or one.get("reply") in order)
    ]
    assert seen == [one for number in range(200) for one in (("broadcast", number), ("reply", number))]


async def test_replies(phoenix: PhoenixJs, node: Node) -> None:
    channel = await (await phoenix.connect(node.url)).join("room:replies")
    assert await channel.push("ping", {"a": [1, "ä", None]}) == ("ok", {"a": [1, "ä", None]})
    assert await channel.push("reply_bare") == ("ok", {})
    assert await channel.push("reply_error", {"why": 1}) == ("error", {"why": 1})
    channel.send("push_me", {"p": 1})
    await channel.hears("pushed", {"p": 1})


async def test_a_crash_is_an_error_after_which_the_client_joins_again(phoenix: PhoenixJs, node: Node) -> None:
    channel = await (await phoenix.connect(node.url)).join("room:crash")
    before = (await channel.push("where"))[1]
    channel.send("crash")
    await channel.hears("phx_error", {"reason": "channel_crash"})
    after = (await channel.push("where"))[1]
    assert after["worker"] == before["worker"]
    assert after["channel"] != before["channel"]
    assert node.logged().count("crashed in 'crash'") == 1


async def test_an_event_without_a_method_ends_the_channel_as_a_crash(phoenix: PhoenixJs, node: Node) -> None:
    channel = await (await phoenix.connect(node.url)).join("room:unknown")
    channel.send("no_such_event")
    await channel.hears("phx_error", {"reason": "channel_crash"})


async def test_leave_ends_what_comes(phoenix: PhoenixJs, node: Node) -> None:
    stays, leaves = await on_different_workers(phoenix, node, "room:leave")
    await leaves.leave()
    stays.send("new_msg", {"n": 1})
    await stays.hears("new_msg", {"n": 1})
    assert leaves.payloads("new_msg") == []


async def test_heartbeat_is_answered_before_any_join(phoenix: PhoenixJs, node: Node) -> None:
    client = await phoenix.connect(node.url)
    assert await client.ping() < 5000


async def test_v1_beside_v2_in_one_room(node: Node) -> None:
    async with RawClient(node.url, vsn="1.0.0") as old, RawClient(node.url) as new, RawClient(node.url, None) as oldest:
        for v1 in (old, oldest):
            joined = await v1.ask({"topic": "room:mixed", "event": "phx_join", "payload": {}, "ref": "1"})
            assert joined == {
                "topic": "room:mixed",
                "event": "phx_reply",
                "payload": {"status": "ok", "response": {}},
                "ref": "1",
            }
        await new.join("room:mixed")
        await old.send({"topic": "room:mixed", "event": "new_msg", "payload": {"from": "v1"}, "ref": "2"})
        assert await new.receive() == [None, None, "room:mixed", "new_msg", {"from": "v1"}]
        broadcast = {"topic": "room:mixed", "event": "new_msg", "payload": {"from": "v1"}, "ref": None}
        assert await old.receive() == broadcast
        assert await oldest.receive() == broadcast
        await new.send(["1", "2", "room:mixed", "new_msg", {"from": "v2"}])
        assert (await old.receive())["payload"] == {"from": "v2"}
        assert (await new.receive())[4] == {"from": "v2"}


async def test_v1_takes_json_out_of_binary_messages(node: Node) -> None:
    async with RawClient(node.url, vsn="1.0.0") as client:
        await client.connection.send(b'{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"7"}')
        assert (await client.receive())["ref"] == "7"


async def test_stops_tell_the_client_whether_to_come_back(node: Node) -> None:
    async with RawClient(node.url) as client:
        for number, (event, frames) in enumerate(
            {
                "stop": [["phx_close", {}]],
                "stop_shutdown": [["phx_close", {}]],
                "stop_other": [["phx_error", {"reason": "channel_crash"}]],
                "stop_reply": [["phx_reply", {"status": "ok", "response": {}}], ["phx_close", {}]],
            }.items()
        ):
            ref = str(number)
            await client.join("room:stop", ref)
            await client.send([ref, "x", "room:stop", event, {}])
            for frame in frames:
                answer = "x" if frame[0] == "phx_reply" else ref
                assert await client.receive() == [ref, answer, "room:stop", *frame]
            unmatched = await client.ask([ref, "y", "room:stop", "ping", {}])
            assert unmatched == [
                None,
                "y",
                "room:stop",
                "phx_reply",
                {"status": "error", "response": {"reason": "unmatched topic"}},
            ]


async def test_a_duplicate_join_replaces_the_channel(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.join("room:twice", "1")
        await client.send(["6", "9", "room:twice", "phx_join", {}])
        assert await client.receive() == ["6", "9", "room:twice", "phx_reply", {"status": "ok", "response": {}}]
        assert await client.receive() == ["1", "1", "room:twice", "phx_close", {}]
        await client.send(["1", "10", "room:twice", "ping", {}])  # of the old join: nothing
        assert (await client.ask([None, "11", "room:twice", "ping", {}]))[:2] == ["6", "11"]
        await client.send(["1", "12", "room:twice", "phx_leave", {}])  # of the old join: nothing
        assert (await client.ask(["6", 7, "room:twice", "ping", {}]))[:2] == ["6", 7]


async def test_join_and_leave_in_one_breath(node: Node) -> None:
    async with RawClient(node.url) as client:
        for ref in map(str, range(1, 200)):
            await client.send([ref, ref, "room:breath", "phx_join", {}])
            await client.send([ref, f"l{ref}", "room:breath", "phx_leave", {}])
        for ref in map(str, range(1, 200)):
            assert (await client.receive())[:2] == [ref, ref]
            assert (await client.receive())[:2] == [ref, f"l{ref}"]
            assert await client.receive() == [ref, ref, "room:breath", "phx_close", {}]


async def test_malformed_messages_end_that_client_alone(node: Node) -> None:
    async with RawClient(node.url) as bystander:
        await bystander.join("room:bystander")
        deep = '["1","1","room:deep","phx_join",' + "[" * 100_000 + "]" * 100_000 + "]"
        for malformed in ("hello", "", "{}", "[]", '["1","2","room:x","e"]', deep, b"\x00\x01"):
            async with RawClient(node.url) as client:
                await client.connection.send(malformed)
                assert await client.closed() == 1011
        assert (await bystander.ask(["1", "2", "room:bystander", "ping", {}]))[1] == "2"


async def test_text_that_is_no_utf8_ends_its_sender_and_reaches_nobody(node: Node) -> None:
    bad = b'["1","2","room:utf8","new_msg",{"body":"\xff"}]'
    async with RawClient(node.url) as bystander, RawClient(node.url) as sender:
        await bystander.join("room:utf8")
        await sender.join("room:utf8")
        await sender.connection.send(bad, text=True)
        assert await sender.closed() == 1007
        assert (await bystander.ask(["1", "2", "room:utf8", "ping", {}]))[1] == "2"
    async with RawClient(node.url, vsn="1.0.0") as sender:
        await sender.connection.send(b'{"topic":"room:u","event":"phx_join","payload":{"a":"\xff"},"ref":"1"}')
        assert await sender.closed() == 1011
