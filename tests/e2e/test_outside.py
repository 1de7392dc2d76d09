"""Publishing from other processes of the machine, on a real node."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from roost import Event, NotPublished, PubSub, SyncPubSub
from roost.client import open_connection
from tests.e2e.node import ROOT, Node, kill, wait_for

EVENTS = 30


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node(workers=2, shards=2) as node:
        yield node


async def test_what_is_published_outside_reaches_clients_in_order(node: Node) -> None:
    async with open_connection(node.url) as client, PubSub(str(node.run_dir)) as pubsub:
        room = await client.join("room:outside")
        for number in range(EVENTS):
            await pubsub.broadcast("room:outside", "news", {"n": number})
        await pubsub.broadcast_all([Event("room:outside", "news", {"n": EVENTS + n}) for n in range(EVENTS)])
        await pubsub.broadcast("room:outside", "data", b"\x00\x01")
        heard = [await room.receive() for _ in range(2 * EVENTS)]
        assert [message.payload["n"] for message in heard] == list(range(2 * EVENTS))
        assert (await room.receive()).payload == b"\x00\x01"


async def test_a_key_is_good_for_one_publish(node: Node) -> None:
    async with open_connection(node.url) as client, PubSub(str(node.run_dir)) as pubsub:
        room = await client.join("room:once")
        for _ in range(3):
            await pubsub.broadcast("room:once", "news", {"n": 1}, key="job 1")
        with pytest.raises(NotPublished, match="was used for something else"):
            await pubsub.broadcast("room:once", "news", {"n": 2}, key="job 1")
        await pubsub.broadcast("room:once", "news", {"n": 3})
        assert [(await room.receive()).payload["n"] for _ in range(2)] == [1, 3]


async def test_bad_input_is_told_where_it_was_given(node: Node) -> None:
    async with PubSub(str(node.run_dir)) as pubsub:
        with pytest.raises(TypeError, match="must be a JSON object"):
            await pubsub.broadcast("room:a", "news", [1])
        with pytest.raises(ValueError, match="zero byte"):
            await pubsub.broadcast("\0own", "news", {})
        with pytest.raises(NotPublished, match="1001 events at once; 1000 are allowed"):
            await pubsub.broadcast_all([Event("room:a", "news", {})] * 1001)


async def test_sockets_are_disconnected_by_id(node: Node) -> None:
    async with PubSub(str(node.run_dir)) as pubsub:
        assert await pubsub.disconnect("nobody") == 0


async def test_code_that_is_not_async_publishes_from_threads_and_children(node: Node) -> None:
    async with open_connection(node.url) as client:
        room = await client.join("room:sync")
        program = (
            "import os, sys\n"
            "from roost import SyncPubSub\n"
            "pubsub = SyncPubSub()\n"
            "pubsub.broadcast('room:sync', 'news', {'who': 'parent'})\n"
            "if os.fork() == 0:\n"
            "    pubsub.broadcast('room:sync', 'news', {'who': 'child'})\n"
            "    sys.exit()\n"
            "assert os.wait()[1] == 0\n"
            "pubsub.close()\n"
            "pubsub.broadcast('room:sync', 'news', {'who': 'parent again'})\n"
        )
        ran = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "ROOST_RUN_DIR": str(node.run_dir)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, ""), "and it ends without a word, though nobody closed it"
        assert [(await room.receive()).payload["who"] for _ in range(3)] == ["parent", "child", "parent again"]


def test_one_that_nobody_needs_any_more_ends_its_thread(node: Node) -> None:
    pubsub = SyncPubSub(str(node.run_dir))
    pubsub.broadcast("room:a", "news", {})
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "roost-pubsub"]
    del pubsub
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


def test_without_a_node_it_is_said(tmp_path: os.PathLike[str]) -> None:
    with SyncPubSub(str(tmp_path)) as pubsub, pytest.raises(NotPublished, match="no node runs in"):
        pubsub.broadcast("room:a", "news", {})


async def test_it_goes_on_when_its_worker_was_killed(node: Node) -> None:
    async with PubSub(str(node.run_dir)) as pubsub:
        await pubsub.broadcast("room:killed", "news", {})
        first = pubsub._worker
        (pid,) = [worker["pid"] for worker in node.status()["gateway"]["workers"] if worker["number"] == first]
        kill(pid)

        def gone() -> bool:
            return all(worker["number"] != first for worker in node.status()["gateway"]["workers"])

        await asyncio.to_thread(wait_for, gone, "the worker has gone")
        await pubsub.broadcast("room:killed", "news", {})
        assert pubsub._worker != first
