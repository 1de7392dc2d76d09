"""Commands on a node of two workers and three shards with 5,000 subscriptions, while ten clients talk without pause."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tests.e2e.node import Node
from tests.e2e.raw import RawClient
from tests.limits import LIMIT

CLIENTS = 100
CHANNELS = 50
HALLS = 1000
TALKERS = 10
IN_FLIGHT = 8
"""Messages of each talker that are under way."""
SUBSCRIPTIONS = CLIENTS * CHANNELS


class Guest:
    """A client that knows what it has joined, and as whom."""

    def __init__(self, client: RawClient, topics: list[str]) -> None:
        self.client = client
        self.topics = topics
        self.socket = ""
        self.subscribers: dict[str, tuple[int, int]] = {}

    async def enter(self) -> None:
        for at, topic in enumerate(self.topics):
            await self.client.send([str(at), str(at), topic, "phx_join", {}])
        for at, topic in enumerate(self.topics):
            assert (await self.client.receive())[:4] == [str(at), str(at), topic, "phx_reply"]
        for at, topic in enumerate(self.topics):
            await self.client.send([str(at), "where", topic, "where", {}])
        for topic in self.topics:
            _, _, heard, _, reply = await self.client.receive()
            where = reply["response"]
            assert heard == topic
            self.subscribers[topic] = where["worker"], where["subscriber"]
            self.socket = f"{where['worker']}.{where['number']}"


async def talk(url: str, entered: asyncio.Semaphore) -> None:
    """Shout into a room of talkers, for ever."""
    async with RawClient(url, user="talker") as client:
        await client.join("hall:talk")
        for _ in range(IN_FLIGHT):
            await client.send(["1", "2", "hall:talk", "shout", {}])
        entered.release()
        while True:
            if (await client.receive())[4] == {"status": "ok", "response": {}}:
                await client.send(["1", "2", "hall:talk", "shout", {}])


@asynccontextmanager
async def crowd(node: Node) -> AsyncIterator[list[Guest]]:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(node.url)) for _ in range(CLIENTS)]
        guests = [
            Guest(client, [f"hall:{(at * CHANNELS + step) % HALLS}" for step in range(CHANNELS)])
            for at, client in enumerate(clients)
        ]
        for guest in guests:
            await guest.enter()
        entered = asyncio.Semaphore(0)
        talking = [asyncio.ensure_future(talk(node.url, entered)) for _ in range(TALKERS)]
        try:
            async with asyncio.timeout(LIMIT):
                for _ in talking:
                    await entered.acquire()
            yield guests
            assert not any(one.done() for one in talking)
        finally:
            for one in talking:
                one.cancel()
            await asyncio.gather(*talking, return_exceptions=True)


async def ask(node: Node, *arguments: str) -> Any:
    return await asyncio.to_thread(node.ask, *arguments)


async def test_what_commands_say_is_what_clients_know_to_be_true() -> None:
    with Node("tests.applications.inspected:endpoint", shards=3, workers=2).patient() as node:
        async with crowd(node) as guests:
            await they_count_everything(node, guests)
            await they_know_each_socket(node, guests)
            await they_name_who_is_silent(node, guests)
        assert "Traceback" not in node.logged()


async def they_count_everything(node: Node, guests: list[Guest]) -> None:
    homes = Counter(int(guest.socket.partition(".")[0]) for guest in guests)
    status = await ask(node, "status", "--over", "1")
    workers = status["gateway"]["workers"]
    assert sum(worker["channels"] for worker in workers) == SUBSCRIPTIONS + TALKERS
    assert sum(worker["connections"] for worker in workers) == CLIENTS + TALKERS
    assert sum(shard["subscribers"] for shard in status["shards"]) == SUBSCRIPTIONS + TALKERS + TALKERS
    assert all(rates["published"] > 0 for rates in status["load"]["shards"].values())
    tree = await ask(node, "tree")
    halls = {
        one["worker"]["number"]: one["worker"]["channels"]["tests.applications.inspected.HallChannel"]
        for one in tree["gateway"]["workers"]
    }
    assert sum(halls.values()) == SUBSCRIPTIONS + TALKERS
    assert all(halls[worker] >= homes[worker] * CHANNELS for worker in halls)
    topics = await ask(node, "topics", "hall:", "--limit", "2000")
    truth = Counter(topic for guest in guests for topic in guest.topics)
    assert {row["topic"]: row["subscribers"] for row in topics["topics"]} == {**truth, "hall:talk": TALKERS}


async def they_know_each_socket(node: Node, guests: list[Guest]) -> None:
    for topic in ("hall:0", "hall:999"):
        rows = (await ask(node, "subscribers", topic))["subscribers"]
        theirs = [guest for guest in guests if topic in guest.topics]
        assert {(row["worker"], row["subscriber"]) for row in rows} == {one.subscribers[topic] for one in theirs}
        assert {row["socket"] for row in rows} == {one.socket for one in theirs}
    last = guests[-1]
    (state,) = (await ask(node, "socket", last.socket))["sockets"]
    assert [(channel["topic"], channel["subscriber"]) for channel in state["channels"]] == [
        (topic, subscriber) for topic, (_, subscriber) in last.subscribers.items()
    ]
    sockets = (await ask(node, "client", "127.0.0.1", "--limit", "1000"))["sockets"]
    assert {row["socket"] for row in sockets if row["id"] is None} == {guest.socket for guest in guests}
    assert len(sockets) == CLIENTS + TALKERS


async def they_name_who_is_silent(node: Node, guests: list[Guest]) -> None:
    """With one worker stopped the other's answers come all the same, and all come again when it goes on."""
    tree = await ask(node, "tree")
    halted, other = tree["gateway"]["workers"]
    others = {guest.socket for guest in guests if guest.socket.startswith(f"{other['worker']['number']}.")}
    os.kill(halted["pid"], signal.SIGSTOP)
    try:
        status = await ask(node, "status", "--over", "0")
        assert (status["gateway"]["silent"], len(status["gateway"]["workers"])) == ([halted["name"]], 1)
        found = await ask(node, "client", "127.0.0.1", "--limit", "1000")
        assert found["silent"] == [halted["name"]]
        assert {row["socket"] for row in found["sockets"] if row["id"] is None} == others
        topics = await ask(node, "topics", "hall:", "--limit", "1")
        assert (topics["silent"], topics["subscribers"]) == ([], SUBSCRIPTIONS + TALKERS)
    finally:
        os.kill(halted["pid"], signal.SIGCONT)
    assert (await ask(node, "client", "127.0.0.1", "--limit", "1000"))["total"] == CLIENTS + TALKERS
