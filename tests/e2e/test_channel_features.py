"""What channels can do beside answering: intercept, reply later, be asked, be told things by their route."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.e2e.node import Node
from tests.e2e.raw import RawClient

CRASHED = {"reason": "channel_crash"}


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.behaviour:endpoint") as running:
        yield running


async def joined(client: RawClient, topic: str = "do:it") -> None:
    await client.send(["1", "1", topic, "phx_join", {}])
    assert (await client.receive())[3] == "phx_reply"
    assert (await client.receive())[3] == "welcome"


def reply(ref: str, status: str, response: Any, topic: str = "do:it") -> list[Any]:
    return ["1", ref, topic, "phx_reply", {"status": status, "response": response}]


async def test_what_is_intercepted_reaches_clients_as_their_channels_push_it(node: Node) -> None:
    async with RawClient(node.url, user="ada") as ada, RawClient(node.url, user="bob") as bob:
        for client in (ada, bob):
            await client.join("rewriting")
        said = {"event": "rewritten", "n": 1}
        await ada.send(["1", "2", "rewriting", "say", said])
        # As in Phoenix the reply comes first: the channel hears its own broadcast like everybody.
        assert await ada.receive() == reply("2", "ok", {}, "rewriting")
        assert await ada.receive() == ["1", None, "rewriting", "rewritten", {**said, "for": "ada"}]
        assert await bob.receive() == ["1", None, "rewriting", "rewritten", {**said, "for": "bob"}]


async def test_what_is_not_intercepted_passes_and_what_is_dropped_does_not(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.join("rewriting")
        for event in ("dropped", "plain"):
            await client.send(["1", event, "rewriting", "say", {"event": event}])
        assert await client.receive() == reply("dropped", "ok", {}, "rewriting")
        assert await client.receive() == [None, None, "rewriting", "plain", {"event": "plain"}]
        assert await client.receive() == reply("plain", "ok", {}, "rewriting")


async def test_binary_can_be_intercepted(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.join("rewriting")
        await client.connection.send(b"\0\1\1\x09\x0a" + b"12rewritingsay_binary" + b"\xff\0")
        assert await client.connection.recv() == b"\0\1\x09\x09" + b"1rewritingrewritten" + b"\xff\0"


async def test_an_intercept_may_stop_the_channel(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.join("rewriting")
        await client.send(["1", "2", "rewriting", "say", {"event": "last"}])
        assert [(await client.receive())[3] for _ in range(3)] == ["phx_reply", "last", "phx_close"]


async def test_an_intercepted_event_that_nothing_handles_crashes_the_channel(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.join("rewriting")
        await client.send(["1", "2", "rewriting", "say", {"event": "unhandled"}])
        assert (await client.receive())[3] == "phx_reply"
        assert await client.receive() == ["1", "1", "rewriting", "phx_error", CRASHED]


@pytest.mark.parametrize("seconds", [0, 0.05])
async def test_a_reply_may_come_later_and_more_than_once(node: Node, seconds: float) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        await client.send(["1", "2", "do:it", "reply_later", {"seconds": seconds}])
        await client.send(["1", "3", "do:it", "where_am_i", {}])
        answers = [await client.receive() for _ in range(3)]
        assert reply("2", "ok", {"n": 1}) in answers
        assert answers.index(reply("2", "again", {"n": 2})) > answers.index(reply("2", "ok", {"n": 1}))


async def test_a_reply_may_come_after_the_channel_has_ended(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        await client.send(["1", "2", "do:it", "reply_later", {"seconds": 0.05, "stop": True}])
        assert await client.receive() == ["1", "1", "do:it", "phx_close", {}]
        assert await client.receive() == reply("2", "ok", {"n": 1})
        assert await client.receive() == reply("2", "again", {"n": 2})


async def test_a_message_without_ref_has_no_later_reply(node: Node) -> None:
    async with RawClient(node.url) as client:
        await joined(client)
        await client.send(["1", None, "do:it", "reply_later", {}])
        assert await client.receive() == ["1", "1", "do:it", "phx_error", CRASHED]


async def test_a_channel_anywhere_can_be_asked(node: Node) -> None:
    async with RawClient(node.url) as asking:
        await joined(asking, "do:ask")
        workers = set()
        for _ in range(50):
            async with RawClient(node.url) as asked:
                await joined(asked, "do:asked")
                where = (await asked.ask(["1", "2", "do:asked", "where_am_i", {}]))[4]["response"]["address"]
                workers.add(where[0])
                question = {"address": where, "question": {"n": [1, 2]}}
                answer = {"answer": {"topic": "do:asked", "question": {"n": [1, 2]}}}
                assert await asking.ask(["1", "2", "do:ask", "call", question]) == reply("2", "ok", answer, "do:ask")
            if len(workers) == 2:
                return
        raise AssertionError("50 connections came to one worker")


@pytest.mark.parametrize("question", ["crash", "unencodable"])
async def test_who_asks_hears_that_the_channel_crashed(node: Node, question: str) -> None:
    async with RawClient(node.url) as asking, RawClient(node.url) as asked:
        await joined(asking, "do:ask")
        await joined(asked, "do:asked")
        where = (await asked.ask(["1", "2", "do:asked", "where_am_i", {}]))[4]["response"]["address"]
        call = {"address": where, "question": question}
        answer = await asking.ask(["1", "2", "do:ask", "call", call])
        assert answer == reply("2", "error", {"reason": "the channel crashed"}, "do:ask")
        assert await asked.receive() == ["1", "1", "do:asked", "phx_error", CRASHED]
        again = await asking.ask(["1", "3", "do:ask", "call", call])
        assert again == reply("3", "error", {"reason": "there is no such channel"}, "do:ask")


async def test_routes_give_their_channels_assigns(node: Node) -> None:
    async with RawClient(node.url) as client:
        for topic, flavour in (("flavoured", "vanilla"), ("exact", None)):
            await joined(client, topic)
            assert (await client.ask(["1", "2", topic, "where_am_i", {}]))[4]["response"]["flavour"] == flavour


async def test_all_sockets_of_an_id_can_be_disconnected_from_anywhere(node: Node) -> None:
    """SK-12, on all workers."""
    async with RawClient(node.url) as admin, AsyncExitStack() as stack:
        await joined(admin)
        mine = [await stack.enter_async_context(RawClient(node.url, id="user:7")) for _ in range(6)]
        another = await stack.enter_async_context(RawClient(node.url, id="user:8"))
        for client in (*mine, another):
            await joined(client)
        # Another event on that topic, and the topic itself as a channel's, mean nothing.
        await admin.ask(["1", "2", "do:it", "disconnect", {"id": "user:7", "event": "connect"}])
        await admin.ask(["1", "3", "do:it", "disconnect", {"id": "user:7", "event": "disconnect"}])
        assert [await client.closed() for client in mine] == [1001] * 6
        assert (await another.ask(["1", "2", "do:it", "where_am_i", {}]))[1] == "2"


async def test_a_client_that_was_disconnected_has_left_everywhere(node: Node) -> None:
    async with RawClient(node.url) as watcher, RawClient(node.url, id="user:9") as client:
        await joined(watcher, "do:watch")
        await client.join("do:it", payload={"terminated_by": "do:watch"})
        await watcher.ask(["1", "2", "do:watch", "disconnect", {"id": "user:9", "event": "disconnect"}])
        assert await watcher.receive() == [None, None, "do:watch", "terminated", {"reason": "disconnected"}]
