"""What channels do: upstream's cases of sections 10.5 and 10.6, seen from the wire of a node of real processes.

Cases of 10.6 that concern upstream's test helpers themselves are not here.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.either_client import VERSIONS, EitherClient
from tests.e2e.node import Node

JOINED = {"flavour": "none"}

both = pytest.mark.parametrize("vsn", VERSIONS)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.conformance:endpoint", shards=2, workers=1) as running:
        yield running


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic of the test's own."""
    return f"callbacks:{request.node.name}"


async def watching(client: EitherClient, topic: str) -> None:
    """Hear what the channels of a topic terminate by."""
    await client.joins(f"callbacks:watch:{topic}", response=JOINED)


async def hears_the_end(watcher: EitherClient, topic: str, reason: str) -> None:
    await watcher.hears_broadcast(f"callbacks:watch:{topic}", "terminated", {"reason": reason})


@both
async def test_ch_01_broadcasts_to_self(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "say", {"how": "broadcast_from"})
        await client.hears_reply("2", topic)
        await client.says("3", topic, "say", {"how": "broadcast"})
        await client.hears_broadcast(topic, "said", {"how": "broadcast"})
        await client.hears_reply("3", topic)


@both
async def test_ch_02_broadcasts_from_another(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as speaker, EitherClient(node.url, vsn) as listener:
        await speaker.joins(topic, response=JOINED)
        await listener.joins(topic, response=JOINED)
        for how in ("broadcast", "broadcast_from", "endpoint"):
            await speaker.says("2", topic, "say", {"how": how})
            await listener.hears_broadcast(topic, "said", {"how": how})


@both
async def test_ch_03_and_ct_09_a_push_and_no_reply(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.joins(topic, response=JOINED)
        for ref in ("2", "3"):
            await client.says(ref, topic, "push", {"n": ref})
            await client.hears_push(topic, "pushed", {"n": ref})


@both
async def test_ch_04_and_ct_12_a_reply_from_another_task(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "async_reply", {"n": [1, None]})
        await client.hears_reply("2", topic, {"n": [1, None]})


@both
async def test_ch_05_and_ct_10_a_bare_status(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.joins(topic, response=JOINED)
        for ref, status in (("2", "ok"), ("3", "error"), ("4", "weird")):
            await client.says(ref, topic, "bare", {"status": status})
            await client.hears_reply(ref, topic, {}, status=status)


async def test_ch_06_a_later_reply_wants_a_message_with_a_ref(node: Node, topic: str) -> None:
    """Upstream's `socket_ref` raises in these three places; so does `reply_later`."""
    async with EitherClient(node.url, "2.0.0") as client:
        refused = f"CallbackChannel on {topic!r} answers no message now: call reply_later while an event is handled"
        await client.joins(topic, {"reply_later": True}, response={"refused": refused})
        await client.says("2", topic, "tell_myself", {"reply_later": True})
        await client.hears_push(topic, "refused", {"why": refused})
        await client.says(None, topic, "async_reply")
        await client.hears_crash(topic)


@both
async def test_ct_06_a_refused_join(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.says("1", topic, "phx_join", {"refuse": ["not", "today"]})
        await client.hears_reply("1", topic, {"reason": ["not", "today"]}, status="error")
        await hears_the_end(watcher, topic, "shutdown")
        await client.joins(topic, response=JOINED)


@both
async def test_ct_07_a_join_that_returns_garbage(node: Node, topic: str, vsn: str) -> None:
    """After a join that crashed `terminate` does not run, as in Phoenix, where the channel has no socket yet."""
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.says("1", topic, "phx_join", {"garbage": True})
        await client.hears_reply("1", topic, {"reason": "join crashed"}, status="error")
        await client.says("2", topic, "phx_join", {"refuse": "now it does"})
        await client.hears_reply("2", topic, {"reason": "now it does"}, status="error")
        await hears_the_end(watcher, topic, "shutdown")


@both
async def test_ct_13_a_crash_runs_terminate(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "crash")
        await client.hears_crash(topic)
        await hears_the_end(watcher, topic, "asked to crash")


@both
@pytest.mark.parametrize("reason", ["normal", "shutdown", "shutdown:moved"])
@pytest.mark.parametrize("reply", [None, {}, {"bye": 1}])
async def test_ct_14_and_15_a_stop(node: Node, topic: str, vsn: str, reason: str, reply: Any) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "stop", {"reason": reason} | ({} if reply is None else {"reply": reply}))
        if reply is not None:
            await client.hears_reply("2", topic, reply)
        await client.hears_close(topic)
        await hears_the_end(watcher, topic, reason)
        await client.says("3", topic, "push")
        await client.hears_reply("3", topic, {"reason": "unmatched topic"}, status="error", join_ref=None)


@both
async def test_a_stop_for_another_reason_is_an_error(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "stop", {"reason": "full", "reply": {"bye": 1}})
        await client.hears_reply("2", topic, {"bye": 1})
        await client.hears_crash(topic)
        await hears_the_end(watcher, topic, "full")


@both
async def test_statuses_and_reasons_that_are_no_text_crash_the_channel(node: Node, topic: str, vsn: str) -> None:
    """Section 3.2: a status is an atom there, a text here."""
    async with EitherClient(node.url, vsn) as client:
        for event, payload in (
            ("bare", {"status": 5}),
            ("stop", {"reason": 5}),
            ("tell_myself", {"stop": 5}),
        ):
            await client.joins(topic, response=JOINED)
            await client.says("2", topic, event, payload)
            await client.hears_crash(topic)
    assert "the status of a Reply is a str, not 5" in node.logged()


@pytest.mark.parametrize("name", [{"number": 5}, {}])
@pytest.mark.parametrize("how", ["push", "broadcast", "event", "topic", "message", "subscribe", "mailbox"])
async def test_a_name_that_cannot_be_sent_crashes_its_channel_alone(
    node: Node, topic: str, how: str, name: dict[str, int]
) -> None:
    """A number, or half a character, as an event or a topic: it gets no further than the code that gave it."""
    async with EitherClient(node.url, "2.0.0") as client, EitherClient(node.url, "2.0.0") as other:
        await client.joins(topic, response=JOINED)
        await other.joins(topic, response=JOINED)
        await client.says("2", topic, "name_badly", {"how": how, **name})
        await client.hears_crash(topic)
        await other.says("2", topic, "say", {"how": "broadcast"})
        await other.hears_broadcast(topic, "said", {"how": "broadcast"})


@both
async def test_ct_26_an_intercept_that_stops(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.joins(topic, response=JOINED)
        await watcher.says("2", f"callbacks:watch:{topic}", "elsewhere", {"topic": topic, "event": "stops"})
        await client.hears_close(topic)
        await hears_the_end(watcher, topic, "shutdown")


@both
async def test_ct_27_to_29_what_a_channel_tells_itself(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "tell_myself", {"push": {"n": 1}})
        await client.hears_push(topic, "pushed", {"n": 1})
        await client.says("3", topic, "tell_myself", {"broadcast": {"n": 2}})
        await client.hears_broadcast(topic, "broadcast", {"n": 2})
        await client.says("4", topic, "tell_myself", {"stop": "shutdown"})
        await client.hears_close(topic)
        await hears_the_end(watcher, topic, "shutdown")


@both
async def test_ct_30_a_question_to_a_channel(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "call_myself", {"n": 1})
        await client.hears_reply("2", topic, {"answered": {"n": 1}})


@both
async def test_ct_32_leaving_twice(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as watcher, EitherClient(node.url, vsn) as client:
        await watching(watcher, topic)
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "phx_leave")
        await client.hears_reply("2", topic)
        await client.hears_close(topic)
        await hears_the_end(watcher, topic, "left")
        await client.says("3", topic, "phx_leave")
        await client.hears_reply("3", topic)


@both
async def test_ct_37_a_broadcast_of_another_topic_is_the_codes(node: Node, topic: str, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.joins(topic, response=JOINED)
        await client.says("2", topic, "listen", {"topic": f"news of {topic}"})
        await client.hears_reply("2", topic)
        await client.says("3", topic, "elsewhere", {"topic": f"news of {topic}", "event": "late"})
        await client.hears_push(topic, "relayed", {"topic": f"news of {topic}", "event": "late", "payload": {}})


async def test_ct_38_a_message_without_handle_info(node: Node) -> None:
    async with EitherClient(node.url, "2.0.0") as client:
        await client.joins("quiet")
        await client.says("2", "quiet", "tell_myself", {"unexpected": "message"})
        await client.hears_reply("2", "quiet")
        await client.says("3", "quiet", "ping", {"n": 1})
        await client.hears_reply("3", "quiet", {"n": 1})
    assert "handle_info" in node.logged()


@both
async def test_ct_40_the_routes_assigns(node: Node, vsn: str) -> None:
    async with EitherClient(node.url, vsn) as client:
        await client.joins("callbacks:static", response={"flavour": "vanilla"})
