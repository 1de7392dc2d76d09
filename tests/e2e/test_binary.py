"""Binary payloads with the real phoenix.js, and beside clients that cannot have them."""

from typing import Any

from tests.e2e.node import Node
from tests.e2e.phoenix_js import PhoenixJs
from tests.e2e.raw import RawClient

DATA: dict[str, Any] = {"binary": "00ff68656c6c6f"}


async def test_a_binary_push_is_answered_by_a_binary_reply(phoenix: PhoenixJs, node: Node) -> None:
    channel = await (await phoenix.connect(node.url)).join("room:binary reply")
    assert await channel.push("ping", DATA) == ("ok", DATA)
    assert await channel.push("reply_error", DATA) == ("error", DATA)
    assert await channel.push("ping", {"text": 1}) == ("ok", {"text": 1})
    assert await channel.push("ping", {"binary": ""}) == ("ok", {"binary": ""})


async def test_binary_broadcasts_and_pushes(phoenix: PhoenixJs, node: Node) -> None:
    here = await (await phoenix.connect(node.url)).join("room:binary")
    there = await (await phoenix.connect(node.url)).join("room:binary")
    here.send("new_msg", DATA)
    await here.hears("new_msg", DATA)
    await there.hears("new_msg", DATA)
    here.send("push_me", DATA)
    await here.hears("pushed", DATA)


async def test_a_method_for_json_refuses_binary(phoenix: PhoenixJs, node: Node) -> None:
    channel = await (await phoenix.connect(node.url)).join("room:json only")
    status, response = await channel.push("where", DATA)
    assert status == "error"
    assert "binary" in response["reason"] or "binary" in str(response)


async def test_v1_members_do_not_get_binary_broadcasts_but_all_others(phoenix: PhoenixJs, node: Node) -> None:
    channel = await (await phoenix.connect(node.url)).join("room:mixed")
    async with RawClient(node.url, vsn="1.0.0") as old:
        joined = await old.ask({"topic": "room:mixed", "event": "phx_join", "payload": {}, "ref": "1"})
        assert joined["payload"]["status"] == "ok"
        channel.send("new_msg", DATA)
        await channel.hears("new_msg", DATA)
        channel.send("new_msg", {"n": 1})
        heard = await old.receive()
        assert (heard["event"], heard["payload"]) == ("new_msg", {"n": 1})
    assert sum(shard["unencodable"] for shard in node.status()["shards"]) >= 1


async def test_a_binary_heartbeat_and_what_is_no_push(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.connection.send(b"\0\0\1\7\x092phoenixheartbeat")
        assert await client.receive() == [None, "2", "phoenix", "phx_reply", {"response": {}, "status": "ok"}]
        await client.connection.send(b"\2\1\1te")
        assert await client.closed() == 1011


async def test_an_empty_join_ref_is_stale_and_not_null(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.join("room:stale", "7")
        await client.connection.send(b"\0\0\1\x0a\4" + b"8room:staleping")
        await client.connection.send(b"\0\1\1\x0a\4" + b"79room:staleping" + b"data")
        reply = await client.connection.recv()
        assert reply == b"\1\1\1\x0a\2" + b"79room:staleok" + b"data"


async def test_a_reply_that_v1_cannot_carry_crashes_its_channel(node: Node) -> None:
    async with RawClient(node.url, vsn="1.0.0") as old:
        message = {"topic": "room:v1", "event": "phx_join", "payload": {}, "ref": "1"}
        assert (await old.ask(message))["payload"]["status"] == "ok"
        answer = await old.ask({**message, "event": "binary_reply", "ref": "2"})
        assert (answer["event"], answer["payload"]) == ("phx_error", {"reason": "channel_crash"})
