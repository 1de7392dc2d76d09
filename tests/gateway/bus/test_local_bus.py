"""A bus without shards: it keeps the promises of the one with them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers

from roost import Channel, Endpoint, Ok, Presence, Socket, Transport, event, intercept
from roost.gateway.bus.local_bus import LocalBus, local_runtime
from roost.gateway.clients.runtime import Runtime
from roost.gateway.connect.connect_info import ConnectInfo, PeerData, Uri
from roost.gateway.letters import open_letter
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Lane
from roost.shared.peer.audience import Subscription
from roost.shared.peer.publish_log import PUBLISH_WINDOW
from tests.limits import LIMIT

INFO = ConnectInfo(PeerData("10.0.0.7", 1), Uri("http", "localhost", 80, "/", ""), Headers())


class Wire(Transport):
    """A client in the same process."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        self.code = 0
        self._refs = count(1)

    def deliver(self, data: str | bytes) -> None:
        self.messages.put_nowait(json.loads(data) if isinstance(data, str) else data)

    def closed(self, code: int, reason: str) -> None:
        self.code = code
        self.messages.put_nowait(None)

    async def receive(self) -> Any:
        async with asyncio.timeout(LIMIT):
            return await self.messages.get()

    def say(self, topic: str, name: str, payload: Any = None) -> None:
        self.received(json.dumps(["1", str(next(self._refs)), topic, name, payload or {}]))

    async def join(self, topic: str) -> None:
        self.say(topic, "phx_join")
        assert (await self.receive())[4]["status"] == "ok"


class HallSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok:
        self.id = params.get("id")
        return Ok()


class HallChannel(Channel[HallSocket]):
    @event("say")
    async def say(self, payload: dict[str, Any]) -> Ok:
        await self.broadcast("said", payload)
        return Ok({"after": "said"})

    @event("tell")
    async def tell(self, payload: dict[str, Any]) -> Ok:
        await self.broadcast_from("told", payload)
        return Ok()

    @event("follow")
    async def follow(self, payload: dict[str, Any]) -> Ok:
        await self.subscribe(payload["topic"])
        return Ok()

    @intercept("whispered")
    async def whispered(self, payload: Any) -> None:
        await self.push("heard", payload)

    async def handle_info(self, message: Any) -> None:
        await self.push("info", {"message": message})

    async def handle_call(self, question: Any) -> Any:
        return [question, self.topic]


class Here(Presence):
    """Who is in a hall."""


HallSocket.route("hall:*", HallChannel)


@asynccontextmanager
async def connected(endpoint: Endpoint, **params: str) -> AsyncIterator[Wire]:
    wire = Wire()
    assert await endpoint.connect(HallSocket, wire, {"vsn": "2.0.0", **params}, INFO) == Ok()
    yield wire
    wire.lost()


@contextmanager
def served(*presences: Presence) -> Iterator[tuple[Endpoint, Runtime]]:
    endpoint = Endpoint(sockets={"/socket": HallSocket}, presences=presences)
    runtime = local_runtime(endpoint)
    yield endpoint, runtime
    runtime.runner.close()


async def test_a_broadcast_comes_before_the_reply_that_follows_it() -> None:
    with served() as (endpoint, _):
        async with connected(endpoint) as one, connected(endpoint) as other:
            await one.join("hall:a")
            await other.join("hall:a")
            one.say("hall:a", "say", {"n": 1})
            one.say("hall:a", "tell", {"n": 2})
            assert [(await one.receive())[3] for _ in range(3)] == ["said", "phx_reply", "phx_reply"]
            assert [(await other.receive())[3:] for _ in range(2)] == [["said", {"n": 1}], ["told", {"n": 2}]]


async def test_code_is_told_too() -> None:
    with served() as (endpoint, _):
        async with connected(endpoint) as one, endpoint.pubsub.subscribe("jobs") as jobs:
            await one.join("hall:a")
            one.say("hall:a", "follow", {"topic": "jobs"})
            assert (await one.receive())[4]["status"] == "ok"
            await endpoint.pubsub.broadcast("jobs", [1, "two"])
            assert (await one.receive())[3:] == ["info", {"message": [1, "two"]}]
            assert await jobs.receive() == [1, "two"]
            await endpoint.pubsub.broadcast("hall:a", "plain")
            assert (await one.receive())[3:] == ["info", {"message": "plain"}]
            await endpoint.broadcast("hall:a", "whispered", {"n": 1})
            assert (await one.receive())[3:] == ["heard", {"n": 1}]


async def test_binary_broadcasts_have_no_form_for_v1() -> None:
    with served() as (endpoint, _):
        async with connected(endpoint) as one, connected(endpoint, vsn="1.0.0") as old:
            await one.join("hall:a")
            old.received('{"topic":"hall:a","event":"phx_join","payload":{},"ref":"1"}')
            assert (await old.receive())["payload"]["status"] == "ok"
            await endpoint.broadcast("hall:a", "news", b"\1\2")
            await endpoint.broadcast("hall:a", "news", {"n": 1})
            assert (await one.receive()).endswith(b"\1\2")
            assert (await one.receive())[3:] == ["news", {"n": 1}]
            assert (await old.receive())["payload"] == {"n": 1}


async def test_sockets_are_disconnected_by_their_id() -> None:
    with served() as (endpoint, runtime):
        async with connected(endpoint, id="user:1") as one:
            await one.join("hall:a")
            await endpoint.broadcast("user:1", "disconnect", {})
            assert await one.receive() is None
            assert one.code == 1001
            assert not runtime.clients


async def test_channels_are_asked_by_their_address() -> None:
    with served() as (endpoint, runtime):
        async with connected(endpoint) as one:
            await one.join("hall:a")
            (client,) = runtime.clients.values()
            address = client.topics["hall:a"].process.channel.address
            assert await endpoint.call(address, "where?") == ["where?", "hall:a"]


async def test_presences_are_told() -> None:
    here = Here()
    with served(here) as (endpoint, runtime):
        await asyncio.gather(*(presence.start() for presence in runtime.presences))
        async with connected(endpoint) as one:
            await one.join("hall:a")
            (client,) = runtime.clients.values()
            await here.track(client.topics["hall:a"].process.channel, "ann", {"n": 1})
            joined = (await one.receive())[4]["joins"]
            assert [meta["n"] for meta in joined["ann"]["metas"]] == [1]
        await asyncio.gather(*(presence.close() for presence in runtime.presences))


async def test_who_publishes_without_end_waits_for_the_next_turn() -> None:
    with served() as (endpoint, runtime):
        async with endpoint.pubsub.subscribe("jobs") as jobs:
            payload = b"\xc4\xff" + bytes(255)
            now = sum(
                bool(runtime.uplink.publish_now("jobs", Form.PLAIN, "", payload))
                for _ in range(2 * PUBLISH_WINDOW // len(payload))
            )
            assert 0 < now < 2 * PUBLISH_WINDOW // len(payload)
            waiting = asyncio.ensure_future(runtime.uplink.publish("jobs", Form.PLAIN, "", payload))
            assert not runtime.uplink.drained()
            assert await waiting == now + 1
            for _ in range(now + 1):
                assert await jobs.receive() == bytes(255)
            assert runtime.uplink.drained()


class Subscriber:
    """Notes what it is handed, and whether it may be."""

    def __init__(self) -> None:
        self.subscription: Subscription
        self.standing = False
        self.left = False
        self.numbers: list[int] = []

    def confirmed(self, subscription: Subscription) -> None:
        assert subscription is self.subscription
        assert not self.left
        self.standing = True

    def letter(self, topic: str, letter: bytes) -> None:
        assert self.standing
        assert not self.left
        self.numbers.append(open_letter(topic, letter))


STEP = st.tuples(st.sampled_from(("subscribe", "leave", "publish", "others", "turn")), st.integers(0, 7))


@pytest.mark.parametrize("topics", [1, 3])
@given(steps=st.lists(STEP, max_size=40))
def test_every_subscriber_gets_each_publish_once_and_in_order(topics: int, steps: list[tuple[str, int]]) -> None:
    loop = asyncio.new_event_loop()
    bus = LocalBus(0, Turn(loop), loop)
    everybody: list[Subscriber] = []
    here: list[Subscriber] = []
    due: dict[Subscriber, list[int]] = {}
    published = count(1)
    for what, number in steps:
        topic = f"t{number % topics}"
        chosen = here[number % len(here)] if here else None
        if what == "subscribe":
            one = Subscriber()
            one.subscription = bus.subscribe(0, topic, Lane.LETTER, (), None, one)
            everybody.append(one)
            here.append(one)
            due[one] = []
        elif what == "leave" and chosen is not None:
            bus._end_turn()  # what is due to one who leaves goes to nobody, so it may not be due
            bus.unsubscribe(chosen.subscription)
            chosen.left = True
            here.remove(chosen)
        elif what in ("publish", "others"):
            sender = chosen if what == "others" else None
            message = next(published)
            number = sender.subscription.number if sender is not None else 0
            assert bus.publish_now(topic, Form.PLAIN, "", bytes([message]), number) == message
            for one in here:
                if one.subscription.topic == topic and one is not sender:
                    due[one].append(message)
        elif what == "turn":
            bus._end_turn()
            assert all(one.standing for one in here)
    bus._end_turn()
    assert {one: one.numbers for one in everybody} == due
    loop.close()
