"""phoenix.js over long-poll: as its only transport, and after a WebSocket that does not come to be."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.test_connecting import Log
from tests.e2e.http import request
from tests.e2e.long_poll import NDJSON, LongPollClient
from tests.e2e.node import Node, kill
from tests.e2e.phoenix_js import PhoenixJs
from tests.limits import LIMIT

ONLY: dict[str, Any] = {"transport": "longpoll"}
FALLBACK: dict[str, Any] = {"transport": "blocked", "longPollFallbackMs": 2000}
either = pytest.mark.parametrize("options", [ONLY, FALLBACK], ids=["only", "fallback"])


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.polled:endpoint") as running:
        yield running


@pytest.fixture
def lone_node() -> Iterator[Node]:
    with Node("tests.applications.polled:endpoint") as running:
        yield running


def url(node: Node) -> str:
    return f"ws://127.0.0.1:{node.port}/patient"


@either
async def test_chat_between_transports(node: Node, phoenix: PhoenixJs, options: dict[str, Any]) -> None:
    polled = await phoenix.connect(url(node), **options)
    other = await phoenix.connect(url(node))
    topic = f"room:quiet:{options['transport']}"
    here, there = await polled.join(topic), await other.join(topic)
    assert await here.push("say", {"text": "grüße"}) == ("ok", {})
    await there.hears("said", {"text": "grüße"})
    await there.push("say", {"text": "back"})
    await here.hears("said", {"text": "back"})
    assert here.payloads("said") == [{"text": "grüße"}, {"text": "back"}]
    assert await here.push("echo", {"binary": "00ff80"}) == ("ok", {"binary": "00ff80"})
    await here.leave()


async def test_many_messages_in_order(node: Node, phoenix: PhoenixJs) -> None:
    """phoenix.js sends them as batches of 100, one after the other."""
    client = await phoenix.connect(url(node), **ONLY)
    channel = await client.join("room:quiet:many")
    pushes = [channel.send("echo", {"n": n}) for n in range(250)]
    await channel.sees(reply=pushes[-1])
    echoed = [seen["response"]["n"] for seen in phoenix.seen if seen.get("reply") in pushes]
    assert echoed == list(range(250))


async def test_a_crashed_channel_is_joined_anew(node: Node, phoenix: PhoenixJs) -> None:
    client = await phoenix.connect(url(node), **ONLY)
    channel = await client.join("room:crashing")
    await channel.hears("joined", {"status": "connected"})
    channel.send("crash")
    await channel.sees(event="phx_error")
    await channel.hears_so_often("joined", 2, LIMIT)
    assert await channel.push("echo", {"n": 1}) == ("ok", {"n": 1})


async def test_the_auth_token(node: Node, phoenix: PhoenixJs) -> None:
    client = await phoenix.connect(url(node), authToken="secret+/=", **ONLY)
    _, verdict = await client.try_to_join("room:told")
    assert (verdict["response"]["auth_token"], verdict["response"]["transport"]) == ("secret+/=", "longpoll")


async def test_a_shard_that_dies_costs_nothing(lone_node: Node, phoenix: PhoenixJs) -> None:
    client = await phoenix.connect(url(lone_node), **ONLY)
    other = await phoenix.connect(url(lone_node))
    here, there = await client.join("room:quiet:shard"), await other.join("room:quiet:shard")
    for n in range(60):
        if n in (20, 40):
            kill(lone_node.status()["shards"][n // 20 - 1]["pid"])
        there.send("say", {"n": n})
        await there.sees(event="said", payload={"n": n})
    await here.hears("said", {"n": 59})
    assert here.payloads("said") == [{"n": n} for n in range(60)]


async def test_a_worker_that_dies_is_survived(lone_node: Node, phoenix: PhoenixJs) -> None:
    client = await phoenix.connect(url(lone_node), **ONLY)
    channel = await client.join("room:worker")
    await channel.hears("joined", {"status": "connected"})
    kill(worker_pid(lone_node, channel.payloads("user_entered")[0]["worker"]))
    await channel.hears_so_often("joined", 2, LIMIT)
    assert await channel.push("echo", {"n": 1}) == ("ok", {"n": 1})


async def test_the_session_of_a_dead_worker_is_gone_at_once(lone_node: Node) -> None:
    polled = await LongPollClient(lone_node.port, "/patient/longpoll").open()
    await polled.join("room:worker")
    worker = (await polled.hears(2))[0][4]["worker"]
    kill(worker_pid(lone_node, worker))
    begun = asyncio.get_running_loop().time()
    assert await patiently(lambda: polled.post(["1", "2", "room:worker", "echo", {}])) == 410
    assert (await patiently(polled.get))["status"] == 410
    assert asyncio.get_running_loop().time() - begun < 8.0  # a window


async def test_a_worker_that_leaves_sends_its_sessions_away(lone_node: Node, phoenix: PhoenixJs) -> None:
    clients = [await phoenix.connect(url(lone_node), **ONLY) for _ in range(6)]
    channels = [await client.join(f"room:leaving:{n}") for n, client in enumerate(clients)]
    for channel in channels:
        await channel.hears("joined", {"status": "connected"})
    workers = [channel.payloads("user_entered")[0]["worker"] for channel in channels]
    scaled = await asyncio.to_thread(lone_node.run, "scale", "workers", "1")
    assert scaled.returncode == 0, scaled.stderr
    left = {worker["number"] for worker in lone_node.status()["gateway"]["workers"]}
    for channel, worker in zip(channels, workers, strict=True):
        if worker not in left:
            await channel.hears_so_often("joined", 2, LIMIT)
        assert await channel.push("echo", {"n": 1}) == ("ok", {"n": 1})


@pytest.fixture
def small_node() -> Iterator[Node]:
    small = Node("tests.applications.polled:endpoint", shards=1, workers=1)
    small.environment["ROOST_MAX_CONNECTIONS"] = "3"
    with small:
        yield small


async def test_sessions_take_places_and_give_them_back(small_node: Node) -> None:
    async def status() -> int:
        return (await LongPollClient(small_node.port).request("GET")).status

    async with asyncio.timeout(LIMIT):
        while await status() == 200:
            pass
        while await status() == 503:  # sessions that do not poll end
            pass


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=400) | st.lists(st.binary(max_size=40)).map(b"\n[".join),
    content_type=st.sampled_from([NDJSON, "text/plain", ""]),
    query=st.text(max_size=60).map(lambda text: "".join(char for char in text if 32 < ord(char) < 127)),
)
def test_whatever_is_posted_ends_that_session_at_most(node: Node, body: bytes, content_type: str, query: str) -> None:
    async def scene() -> None:
        other = await LongPollClient(node.port, "/patient/longpoll").open()
        polled = await LongPollClient(node.port).open()
        answer = await polled.request("POST", {"Content-Type": content_type}, body)
        assert answer.status in (200, 400), answer
        odd = await request(node.port, f"/socket/longpoll?{query.replace('#', '')}")
        assert odd.status in (200, 400), odd
        assert await other.post([None, "1", "phoenix", "heartbeat", {}]) == 200
        assert (await other.poll())[0][1] == "1"

    log = Log(node)
    asyncio.run(scene())
    assert "ERROR" not in log.text


def worker_pid(node: Node, number: int) -> int:
    pids = [worker["pid"] for worker in node.status()["gateway"]["workers"] if worker["number"] == number]
    pid: int = pids[0]
    return pid


async def patiently(ask: Any) -> Any:
    """Ask again while connections are still given to the worker that died."""
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                return await ask()
            except (OSError, AssertionError):
                await asyncio.sleep(0)
