"""A worker that takes nothing for a while: publishers are slowed, memory is bounded, everybody else goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.e2e.node import Node
from tests.e2e.raw import RawClient
from tests.limits import LIMIT
from tests.load.machine import pss_bytes

FILL = "x" * 64 * 1024
COUNT = 400
"""Messages: 26 MB, several times what the windows hold."""
LEAST_ADMITTED = 1024 * 1024
MOST_ADMITTED = 8 * 1024 * 1024
"""Bytes: the windows are 1 MiB and 4 MiB."""
MOST_GROWTH = 2 * MOST_ADMITTED


@pytest.fixture
def patient_node() -> Iterator[Node]:
    """One shard and two workers; nobody is killed for standing still, or disconnected for being slow."""
    with Node("tests.applications.stuck:unhurried", shards=1, workers=2).patient() as node:
        yield node


@asynccontextmanager
async def on_workers(node: Node) -> AsyncIterator[dict[int, list[RawClient]]]:
    """At least one client on one worker and three on the other, by the workers' numbers, fewest first."""
    async with AsyncExitStack() as stack:
        clients: dict[int, list[RawClient]] = {}
        while len(clients) < 2 or max(map(len, clients.values())) < 3:
            client = await stack.enter_async_context(RawClient(node.url))
            await client.join("room:where")
            reply = await client.ask(["1", "2", "room:where", "where", {}])
            clients.setdefault(reply[4]["response"]["worker"], []).append(client)
        yield dict(sorted(clients.items(), key=lambda item: len(item[1])))


def pids(node: Node) -> tuple[int, dict[int, int]]:
    """The shard's process, and the workers' by their numbers."""
    status = node.status()
    workers = {worker["number"]: worker["pid"] for worker in status["gateway"]["workers"]}
    return status["shards"][0]["pid"], workers


class Flood:
    """One client that publishes as fast as it is read from."""

    def __init__(self, client: RawClient) -> None:
        self.sent = 0
        self._client = client
        self.done = asyncio.ensure_future(self._publish())

    async def _publish(self) -> None:
        for number in range(COUNT):
            await self._client.send(["1", "3", "room:flood", "others", {"number": number, "fill": FILL}])
            self.sent += 1

    async def held(self) -> None:
        """Wait until it is not read from any more: the windows are full, and what its connection holds."""
        before = -1
        while before < self.sent or self.sent * len(FILL) < LEAST_ADMITTED:
            before = self.sent
            await asyncio.sleep(1.0)  # in which it would have sent on


class Listener:
    """One client that hears the flood."""

    def __init__(self, client: RawClient) -> None:
        self.numbers: list[int] = []
        self._client = client
        self.done = asyncio.ensure_future(self._listen())

    async def _listen(self) -> None:
        async with asyncio.timeout(4 * LIMIT):
            while not self.numbers or self.numbers[-1] != COUNT - 1:
                self.numbers.append((await receive(self._client))[4]["number"])


async def receive(client: RawClient) -> Any:
    """The next frame, however long it takes."""
    while True:
        try:
            return await client.receive()
        except TimeoutError:
            continue


async def everything_else_goes_on(bystander: RawClient) -> None:
    """Beside its own publish that waits, on the same worker as the flood."""
    await bystander.send(["1", "4", "room:own", "new_msg", {"waits": True}])
    for number in range(5):
        ref, topic = str(number), f"room:{number}"
        heartbeat = await bystander.ask([None, ref, "phoenix", "heartbeat", {}])
        joined = await bystander.ask([ref, ref, topic, "phx_join", {}])
        left = [await bystander.ask([ref, ref, topic, "phx_leave", {}]), await bystander.receive()]
        assert [heartbeat[3], joined[3], *(each[3] for each in left)] == ["phx_reply"] * 3 + ["phx_close"]


async def test_a_full_window_slows_those_who_publish_and_nobody_else(patient_node: Node) -> None:
    shard, workers = await asyncio.to_thread(pids, patient_node)
    async with on_workers(patient_node) as clients:
        (stopped, [far, *_]), (busy, [publisher, near, bystander, *_]) = clients.items()
        for client in (far, near, publisher):
            await client.join("room:flood")
        await bystander.join("room:own")
        before = {pid: pss_bytes(pid) for pid in (shard, workers[busy])}
        os.kill(workers[stopped], signal.SIGSTOP)
        try:
            listeners = [Listener(far), Listener(near)]
            flood = Flood(publisher)
            await flood.held()
            await everything_else_goes_on(bystander)
            assert all(len(listener.numbers) * len(FILL) < MOST_ADMITTED for listener in listeners)
            for pid, size in before.items():
                assert pss_bytes(pid) - size < MOST_GROWTH
        finally:
            os.kill(workers[stopped], signal.SIGCONT)
        assert (await bystander.receive())[3:] == ["new_msg", {"waits": True}]
        await asyncio.gather(flood.done, *(listener.done for listener in listeners))
        assert all(listener.numbers == list(range(COUNT)) for listener in listeners)
