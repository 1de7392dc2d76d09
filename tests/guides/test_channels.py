"""The guide to channels, run: what it says of each of its channels is so."""

from collections.abc import AsyncIterator

import pytest

from roost import Error
from roost.testing import ClientSocket, ConnectRefused, JoinRefused, LocalNode, local_node
from tests.guides.blocks import module_of

GUIDE = module_of("channels.md")


@pytest.fixture
async def node() -> AsyncIterator[LocalNode]:
    async with local_node(GUIDE.endpoint) as node:
        yield node


async def connected(node: LocalNode, name: str = "Ada") -> ClientSocket:
    return await node.connect(GUIDE.UserSocket, {"name": name})


async def test_sockets(node: LocalNode) -> None:
    with pytest.raises(ConnectRefused) as refused:
        await node.connect(GUIDE.UserSocket)
    assert refused.value.error == Error({"reason": "who are you?"}, http_status=403)
    ada = await connected(node)
    with pytest.raises(AttributeError, match="read-only"):
        ada.socket.name = "Eve"
    await node.broadcast("users:Ada", "disconnect", {})
    await ada.assert_closed()


async def test_joins_events_and_broadcasts(node: LocalNode) -> None:
    ada, grace = await connected(node), await connected(node, "Grace")
    room, other = await ada.join("room:lobby"), await grace.join("room:lobby")
    assert room.reply == {"room": "lobby"}
    await room.assert_push("welcome", {"name": "Ada"})
    await room.assert_reply(room.push("shout", {"body": "hello"}), "ok", {"shouts": 1})
    for one in (room, other):
        await one.assert_push("shout", {"name": "Ada", "body": "hello"})
    await room.assert_reply(room.push("shout", {}), "error", {"reason": "say something"})
    typing = room.push("typing", {})
    await other.assert_push("typing", {"name": "Ada"})
    await room.refute_push("typing")
    await room.refute_reply(typing)


async def test_joins_that_are_refused(node: LocalNode) -> None:
    ada = await connected(node)
    with pytest.raises(JoinRefused, match="staff only"):
        await ada.join("room:staff")
    with pytest.raises(JoinRefused, match="unmatched topic"):
        await ada.join("nowhere")


async def test_replies_that_come_later(node: LocalNode) -> None:
    report = await (await connected(node)).join("report:1")
    first, second = report.push("build", {"pages": 2}), report.push("build", {"pages": 1})
    await report.assert_reply(second, "busy")
    await report.refute_reply(first)
    await node.advance(1.0)
    await report.assert_push("progress", {"page": 1})
    await node.advance(1.0)
    await report.assert_reply(first, "ok", {"pages": 2})
    work = report.push("build", {"pages": 100})
    await node.advance(1.0)
    await report.assert_reply(report.push("finish", {}))
    await report.assert_closed()
    await node.advance(200.0)
    await report.refute_reply(work)


async def test_intercepts(node: LocalNode) -> None:
    ada, grace = await connected(node), await connected(node, "Grace")
    loud, quiet = await ada.join("muted:1", {"muted": []}), await grace.join("muted:1", {"muted": ["Ada"]})
    loud.push("shout", {"body": "hello"})
    await loud.assert_push("shout", {"name": "Ada", "body": "hello"})
    await quiet.refute_push("shout")


async def test_messages_from_code(node: LocalNode) -> None:
    ticker = await (await connected(node)).join("ticker")
    await node.advance(2.0)
    await ticker.assert_push("tick", {"seconds": 1})
    await ticker.assert_push("tick", {"seconds": 2})
    await node.broadcast("news", "headline", {"title": "it works"})
    await ticker.assert_push("headline", {"title": "it works"})
    assert await ticker.call("how long?") == 2


async def test_presence(node: LocalNode) -> None:
    hall = await (await connected(node)).join("hall")
    assert list(await hall.assert_push("presence_state")) == ["Ada"]


async def test_what_was_missed_is_told(node: LocalNode) -> None:
    ada = await connected(node)
    feed = await ada.join("feed")
    for body in ("one", "two", "three"):
        await feed.assert_reply(feed.push("post", {"body": body}))
    await ada.close()
    again = await (await connected(node)).join("feed", {"last": 1})
    assert [(await again.assert_push("post"))["id"] for _ in range(2)] == [2, 3]
    await again.refute_push("post")
    await again.assert_reply(again.push("post", {"body": "four"}))
    assert (await again.assert_push("post"))["id"] == 4


async def test_an_event_that_no_method_takes(node: LocalNode) -> None:
    room = await (await connected(node)).join("room:lobby")
    room.push("nothing", {})
    await room.assert_crashed()


async def test_a_payload_that_the_annotation_does_not_take(node: LocalNode) -> None:
    room = await (await connected(node)).join("room:lobby")
    await room.assert_reply(room.push("shout", ["hello"]), "error")
    await room.assert_reply(room.push("shout", {"body": "hello"}))
