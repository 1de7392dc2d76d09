"""`roost top` on nodes of real processes: held against what clients know, while processes die, and on a terminal."""

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Self

import pytest

from roost.commands.node import connected_node
from roost.shared.inspection import AskSlowestClients, SlowestClients
from tests.e2e.node import ROOST, ROOT, Node, kill
from tests.e2e.raw import RawClient, UnreadClient
from tests.limits import LIMIT

MEMBERS = 4
MESSAGES = 60
LINES, COLUMNS = 40, 132
_STEERING = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][AB0])")


@pytest.fixture(scope="module")
def watched() -> Iterator[Node]:
    with Node("tests.applications.inspected:endpoint", shards=3, workers=2).patient() as running:
        yield running


@pytest.fixture
def lone() -> Iterator[Node]:
    """For one test, which breaks it."""
    with Node("tests.applications.inspected:endpoint", shards=2, workers=2).patient() as running:
        yield running


@asynccontextmanager
async def watching(node: Node) -> AsyncIterator[AsyncIterator[Any]]:
    """`roost top` as lines of JSON, as they come."""
    process = await asyncio.create_subprocess_exec(
        *(ROOST, "top", "--json", "--interval", "0.2"),
        env=node.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdout is not None
    try:
        yield (json.loads(line) async for line in process.stdout)
        assert process.returncode is None
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until(looks: AsyncIterator[Any], condition: Callable[[Any], bool]) -> Any:
    """The first look of which it is true."""
    async with asyncio.timeout(LIMIT):
        async for look in looks:
            if condition(look):
                return look
    raise AssertionError("it ended")


class Counted:
    """What rates of one look after another add up to."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}

    def add(self, look: Any) -> Self:
        for name, rate in (look["rates"] or {}).items():
            self.totals[name] = self.totals.get(name, 0.0) + rate * look["seconds"]
        return self

    def __getitem__(self, name: str) -> int:
        return round(self.totals.get(name, 0.0))


async def test_rates_and_topics_are_what_clients_did(watched: Node) -> None:
    counted = Counted()
    async with watching(watched) as looks, AsyncExitStack() as stack:
        await until(looks, lambda look: len(look["workers"]) == 2)
        clients = [await stack.enter_async_context(RawClient(watched.url)) for _ in range(MEMBERS)]
        for client in clients:
            await client.join("hall:hot")
        await clients[0].join("hall:lone", "2")
        for number in range(MESSAGES):
            topic, ref = ("hall:lone", "2") if number % 3 == 0 else ("hall:hot", "1")
            await clients[0].send([ref, str(number), topic, "shout", {}])
        for _ in range(2 * MESSAGES):
            await clients[0].receive()
        for client in clients[1:]:
            for _ in range(MESSAGES * 2 // 3):
                await client.receive()
        sent = MESSAGES + MEMBERS + 1
        hot, lone = MESSAGES * 2 // 3, MESSAGES // 3
        all_of_it = {"messages_received": sent, "messages_sent": hot * MEMBERS + lone + sent}

        def counts_all(look: Any) -> bool:
            counted.add(look)
            return not look["silent"] and all(counted[name] >= number for name, number in all_of_it.items())

        look = await until(looks, counts_all)
        assert counted["messages_received"] == sent
        assert counted["published"] == MESSAGES
        assert counted["deliveries"] == hot * MEMBERS + lone
        assert counted["messages_sent"] == hot * MEMBERS + lone + sent
        assert counted["joins"] == MEMBERS + 1
        assert (counted["dropped"], look["silent"], look["troubles"]) == (0, [], [])
        assert sum(worker["connections"] for worker in look["workers"]) == MEMBERS
        first, second = look["topics"][:2]
        assert (first["topic"], second["topic"]) == ("hall:hot", "hall:lone")
        # Each shard tells what came in its own last 3 to 6 seconds, so that what came at once is told to a factor.
        assert 0.5 < first["deliveries"] / second["deliveries"] / (hot * MEMBERS / lone) < 2
        assert 0.5 < first["publishes"] / second["publishes"] / (hot / lone) < 2
        assert (first["error"], second["error"]) == (0, 0)
        assert look["latency"] is None or 0 < look["latency"]["median"] < LIMIT


async def test_the_slowest_clients_are_those_for_whom_most_waits(watched: Node) -> None:
    async with RawClient(watched.url) as speaker, UnreadClient(watched.port) as stuck:
        await speaker.join("hall:slow")
        await stuck.join("hall:slow")
        async with connected_node(str(watched.run_dir)) as node:
            found = await node.ask(AskSlowestClients(), SlowestClients)
            while not found.clients:
                await speaker.send(["1", "9", "hall:slow", "shout", {"fill": "x" * 9000}])
                await speaker.receive()
                await speaker.receive()
                found = await node.ask(AskSlowestClients(), SlowestClients)
        look = await asyncio.to_thread(watched.ask, "top")
    (row,) = found.clients
    assert (found.total, found.waiting) == (1, row.waiting)
    assert row.waiting > 0
    assert [client["socket"] for client in look["clients"]["clients"]] == [row.socket]
    assert look["clients"]["total"] == 1


async def test_it_goes_on_while_processes_die_and_shards_change(lone: Node) -> None:
    async with watching(lone) as looks:
        before = await until(looks, lambda look: len(look["workers"]) == 2 and len(look["shards"]) == 2)
        status: Any = await asyncio.to_thread(lone.status)
        kill(status["gateway"]["workers"][0]["pid"])
        kill(status["shards"][0]["pid"])
        again = {"worker": 1, "shard": 1}
        after = await until(
            looks, lambda look: look["restarts"] == again and len(look["workers"]) == 2 and not look["silent"]
        )
        numbers = [{worker["number"] for worker in look["workers"]} for look in (before, after)]
        assert len(numbers[0] & numbers[1]) == 1
        assert (await asyncio.to_thread(lone.ask, "scale", "shards", "3"))["phase"] == "done"
        slots = [[1, 0], [1, 1], [1, 2]]
        changed = await until(looks, lambda look: [shard["slot"] for shard in look["shards"]] == slots)
        assert (changed["resharding"]["shards_before"], changed["resharding"]["shards"]) == (2, 3)
        assert (await asyncio.to_thread(lone.ask, "scale", "workers", "1"))["phase"] == "done"
        await until(looks, lambda look: len(look["workers"]) == 1)


async def test_who_does_not_answer_is_named(watched: Node) -> None:
    tree = await asyncio.to_thread(watched.ask, "tree")
    worker, shard = tree["gateway"]["workers"][0], tree["shards"][0]
    for halted in (worker, shard):
        os.kill(halted["pid"], signal.SIGSTOP)
    try:
        look = await asyncio.to_thread(watched.ask, "top", "--interval", "0.2", "--count", "1")
    finally:
        for halted in (worker, shard):
            os.kill(halted["pid"], signal.SIGCONT)
    # On a busy machine others may be late, too.
    assert {worker["name"], shard["name"]} <= set(look["silent"])
    assert {one["name"] for one in look["workers"]} <= {tree["gateway"]["workers"][1]["name"]}
    assert all(one["slot"] in ([0, 1], [0, 2]) for one in look["shards"])
    assert len(look["workers"]) + len(look["shards"]) + len(look["silent"]) == 5


def test_where_nobody_watches_it_prints_one_look(watched: Node) -> None:
    printed = watched.run("top", "--interval", "0.1")
    assert printed.returncode == 0
    for part in ("Roost", "takes clients", "worker", "shard", "hottest topics", "slowest clients: 0 B wait for 0"):
        assert part in printed.stdout
    lines = watched.run("top", "--json", "--interval", "0.1", "--count", "3").stdout.splitlines()
    assert [json.loads(line)["seconds"] > 0 for line in lines] == [True] * 3


def test_without_a_node_it_says_so() -> None:
    node = Node()
    try:
        result = node.run("top")
    finally:
        node.stop()
    assert (result.returncode, result.stdout) == (1, "")
    assert "no node runs in" in result.stderr


class Terminal:
    """`roost top` on a terminal of its own."""

    def __init__(self, node: Node) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        environment = {**node.environment, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            [ROOST, "top", "--interval", "0.2"], env=environment, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
        )

    def read_until(self, part: str) -> str:
        """What it wrote meanwhile, without what steers a terminal."""
        text, deadline = "", time.monotonic() + LIMIT
        while part not in text:
            assert time.monotonic() < deadline, text
            if select.select([self.ours], [], [], 0.1)[0]:
                text += _STEERING.sub("", os.read(self.ours, 1 << 16).decode(errors="replace"))
        return text

    def press(self, key: str) -> None:
        os.write(self.ours, key.encode())

    def settings(self) -> Any:
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self._theirs)


@contextmanager
def terminal(node: Node) -> Iterator[Terminal]:
    made = Terminal(node)
    try:
        yield made
    finally:
        made.close()


def test_on_a_terminal_it_goes_on_until_q_even_without_a_broker(lone: Node) -> None:
    with terminal(lone) as top:
        shown = top.read_until("slowest clients")
        assert "hottest topics" in shown
        assert lone.broker is not None
        kill(lone.broker.pid)
        lone.broker.wait()
        top.read_until("still looking")
        lone.start_broker()
        top.read_until("takes clients")
        top.press("q")
        assert top.process.wait(LIMIT) == 0
        assert top.settings() == top.before
