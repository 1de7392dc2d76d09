"""`roost trace` on real processes: what clients did is what is shown, bounded, and nothing of it stays on."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from roost.commands.node import connected_node
from roost.shared.control import AskStatus, NodeStatus
from roost.shared.failures import CannotStart
from roost.shared.trace import MAX_TRACES, Happened, TraceFilter
from roost.shared.trace_session import TraceSession
from tests.e2e.node import ROOST, Node
from tests.e2e.raw import RawClient
from tests.limits import LIMIT

MEMBERS = 8


@pytest.fixture(scope="module")
def watched() -> Iterator[Node]:
    with Node("tests.applications.inspected:endpoint", shards=3, workers=2).patient() as running:
        yield running


class Trace:
    """A `roost trace --json` that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    async def row(self) -> Any:
        """The next object that it prints; None at its end."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT):
            line = await asyncio.to_thread(self.process.stdout.readline)
        return json.loads(line) if line else None

    async def rows(self, number: int) -> list[Any]:
        return [await self.row() for _ in range(number)]

    async def rest(self) -> list[Any]:
        rows = []
        while (row := await self.row()) is not None:
            rows.append(row)
        return rows

    async def ended(self) -> int:
        """Its exit status."""
        return await asyncio.to_thread(self.process.wait, LIMIT)


@asynccontextmanager
async def trace(node: Node, *options: str) -> AsyncIterator[Trace]:
    """One that is on; stopped by Ctrl-C."""
    command = [ROOST, "trace", "--json", *options]
    with subprocess.Popen(command, env=node.environment, stdout=subprocess.PIPE, stderr=node.log) as process:
        killer = asyncio.get_running_loop().call_later(2 * LIMIT, process.kill)
        try:
            following = Trace(process)
            assert (await following.row())["kind"] == "trace"
            yield following
        finally:
            process.send_signal(signal.SIGINT)
            await following.ended()
            killer.cancel()
    await nothing_is_left(node)


async def traces_on(node: Node) -> set[int]:
    """How many traces each worker and shard takes part in, and the bridge if there is one."""
    async with connected_node(str(node.run_dir)) as running:
        status = await running.ask(AskStatus(), NodeStatus)
    assert status.gateway is not None
    bridges = () if status.cluster is None else (status.cluster.traces,)
    return {*(one.traces for one in status.gateway.workers), *(one.traces for one in status.shards), *bridges}


async def nothing_is_left(node: Node) -> None:
    async with asyncio.timeout(LIMIT):
        while await traces_on(node) != {0}:
            pass


@asynccontextmanager
async def members(node: Node, topic: str, number: int = MEMBERS) -> AsyncIterator[list[tuple[RawClient, str]]]:
    """Clients in a topic, each with the name of its socket."""
    async with AsyncExitStack() as stack:
        made = []
        for at in range(number):
            client = await stack.enter_async_context(RawClient(node.url, user=f"u{at}"))
            await client.join(topic)
            where = (await client.ask(["1", "2", topic, "where", {}]))[4]["response"]
            made.append((client, f"{where['worker']}.{where['number']}"))
        yield made


async def shout(client: RawClient, topic: str, number: int) -> None:
    await client.send(["1", "7", topic, "shout", {"n": number, "password": "hunter2", "red": "\x1b[31m"}])
    assert (await client.receive())[3] == "heard"
    assert (await client.receive())[3] == "phx_reply"


async def test_what_clients_did_is_what_is_shown(watched: Node) -> None:
    async with trace(watched, "--topic", "hall:t*") as following, members(watched, "hall:talk", 1) as others:
        assert await traces_on(watched) == {1}
        client, name = others[0]
        await shout(client, "hall:talk", 1)
        await client.send(["1", "8", "hall:talk", "phx_leave", {}])
        seen = await following.rows(12)
        assert {row["kind"]: row.get("event") for row in seen} == {
            "join": "phx_join",
            "subscribe": None,
            "joined": "phx_join",
            "message": "shout",
            "reply": "phx_reply",
            "broadcast": "heard",
            "leave": "phx_leave",
            "channel ended": "phx_close",
            "unsubscribe": None,
        }
        assert {row["socket"] for row in seen} == {name}
        assert {row["topic"] for row in seen} == {"hall:talk"}
        others_of_it = [row for row in seen if row["kind"] != "broadcast"]
        assert [row["kind"] for row in others_of_it[:5]] == ["join", "subscribe", "joined", "message", "reply"]
        said = next(row for row in seen if row.get("event") == "shout")
        assert (said["ref"], said["payload"]) == ("7", '{"n": 1, "password": "[FILTERED]", "red": "\\u001b[31m"}')
        assert sorted(row["at"] for row in others_of_it) == [row["at"] for row in others_of_it]


async def test_a_broadcast_is_shown_with_every_hop_in_order_of_time(watched: Node) -> None:
    async with members(watched, "hall:hops") as there, trace(watched, "--event", "heard") as following:
        client, name = there[0]
        homes = {int(socket.partition(".")[0]) for _, socket in there}
        await shout(client, "hall:hops", 1)
        (row,) = await following.rows(1)
    assert (row["kind"], row["topic"], row["event"], row["socket"]) == ("broadcast", "hall:hops", "heard", name)
    assert row["missing"] == []
    hops = row["hops"]
    assert [hop["at"] for hop in hops] == sorted(hop["at"] for hop in hops)
    assert [hop["hop"] for hop in hops[:3]] == ["received", "decoded", "published"]
    encoded = [hop for hop in hops if hop["hop"] == "encoded"]
    assert {tuple(hop["slot"]) for hop in encoded} == {(0, 0), (0, 1), (0, 2)}
    assert sum(sum(hop["members"].values()) for hop in encoded) == MEMBERS
    written = [hop for hop in hops if hop["hop"] == "last write"]
    assert sum(hop["recipients"] for hop in written) == MEMBERS
    assert {hop["worker"] for hop in written} == homes
    for last in written:
        way = [
            hop["hop"]
            for hop in hops
            if hop.get("slot") == last["slot"] and hop.get("worker") in (None, last["worker"])
        ]
        assert way == ["shard in", "encoded", "worker in", "first write", "last write"]


async def test_the_limit_is_kept(watched: Node) -> None:
    async with (
        members(watched, "hall:limit", 2) as there,
        trace(watched, "--event", "heard", "--limit", "3") as following,
    ):
        for number in range(6):
            await shout(there[0][0], "hall:limit", number)
        *rows, over = await following.rest()
        assert [(row["kind"], row["payload"][:7]) for row in rows] == [("broadcast", f'{{"n": {n}') for n in range(3)]
        assert over == {"kind": "over", "reason": "3 were found"}
        assert await following.ended() == 0


async def test_one_socket_alone_by_its_name_or_its_id(watched: Node) -> None:
    async with members(watched, "hall:ids", 3) as there:
        for wanted in (there[1][1], "user:u1"):
            async with trace(watched, "--socket", wanted) as following:
                for client, _ in there:
                    await client.ask(["1", "5", "hall:ids", "where", {}])
                await there[1][0].send(["1", "6", "hall:ids", "shout", {}])
                rows = await following.rows(5)
                assert {row["socket"] for row in rows} == {there[1][1]}
                assert {row["kind"] for row in rows} == {"message", "reply", "broadcast"}
            for client, _ in there:
                await client.receive()
            await there[1][0].receive()


async def test_a_suspended_worker_is_named_and_hinders_nobody(watched: Node) -> None:
    status = watched.status()
    pids = {worker["number"]: worker["pid"] for worker in status["gateway"]["workers"]}
    async with members(watched, "hall:halted") as there:
        halted = next(int(name.partition(".")[0]) for _, name in there)
        speaker, name = next(one for one in there if not one[1].startswith(f"{halted}."))
        async with trace(watched, "--topic", "hall:halted") as following:
            os.kill(pids[halted], signal.SIGSTOP)
            try:
                await speaker.send(["1", "7", "hall:halted", "shout", {}])
                rows = [await following.row()]
                while rows[-1]["kind"] != "broadcast":
                    rows.append(await following.row())
            finally:
                os.kill(pids[halted], signal.SIGCONT)
        assert {"kind": "silent", "process": f"worker {halted}"} in rows
        assert ("message", name) in [(row["kind"], row.get("socket")) for row in rows]
        assert rows[-1]["missing"]
        assert all(missing.endswith(f" for worker {halted}") for missing in rows[-1]["missing"])
        assert sum(hop.get("recipients", 0) for hop in rows[-1]["hops"]) < MEMBERS


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)])
async def test_nothing_stays_on_however_it_ends(watched: Node, number: int, status: int) -> None:
    async with trace(watched) as following:
        assert await traces_on(watched) == {1}
        following.process.send_signal(number)
        assert await following.ended() == status


async def test_one_that_does_not_ask_any_more_ends_and_is_told_so(watched: Node) -> None:
    async with trace(watched) as following:
        following.process.send_signal(signal.SIGSTOP)
        try:
            await nothing_is_left(watched)
        finally:
            following.process.send_signal(signal.SIGCONT)
        assert await following.ended() == 1


async def test_time_is_up(watched: Node) -> None:
    async with trace(watched, "--seconds", "0.2", "--topic", "nobody:*") as following:
        assert await following.rest() == [{"kind": "over", "reason": "0.2 s are over"}]


def test_what_cannot_be_traced_is_said(watched: Node) -> None:
    for options in (("--topic", "a*b"), ("--limit", "0")):
        refused = watched.run("trace", *options)
        assert refused.returncode == 2, options
        assert refused.stderr


async def test_so_many_at_a_time(watched: Node) -> None:
    async with connected_node(str(watched.run_dir)) as node, AsyncExitStack() as stack:
        for _ in range(MAX_TRACES):
            await stack.enter_async_context(TraceSession(node.ask))
        assert await traces_on(watched) == {MAX_TRACES}
        with pytest.raises(CannotStart, match="8 traces are on already"):
            await stack.enter_async_context(TraceSession(node.ask))
    await nothing_is_left(watched)


async def test_each_trace_has_its_own_filter_and_limit(watched: Node) -> None:
    async with (
        connected_node(str(watched.run_dir)) as node,
        members(watched, "hall:both", 2) as there,
        TraceSession(node.ask, TraceFilter(event="shout"), limit=1) as one,
        TraceSession(node.ask, TraceFilter(socket=there[0][1]), limit=4) as other,
    ):
        for number in range(2):
            await shout(there[0][0], "hall:both", number)
        shouts = [row async for news in one for row in news.rows]
        rows = [row async for news in other for row in news.rows]
    assert [(row.kind, row.event) for row in shouts if isinstance(row, Happened)] == [("message", "shout")]
    kinds = sorted(row.kind if isinstance(row, Happened) else "broadcast" for row in rows)
    assert kinds == ["broadcast", "message", "message", "reply"]


async def test_in_words_nothing_steers_the_terminal(watched: Node) -> None:
    async with members(watched, "hall:\x1b[2J", 1) as there:
        words = asyncio.create_task(asyncio.to_thread(watched.run, "trace", "--event", "heard", "--limit", "1"))
        while not words.done():
            await shout(there[0][0], "hall:\x1b[2J", 1)
        printed = (await words).stdout
        assert "\x1b" not in printed
        assert "hall:\\x1b[2J heard" in printed
        for hop in (
            "received",
            "decoded",
            "published",
            "shard in",
            "encoded",
            "worker in",
            "first write",
            "last write",
        ):
            assert hop in printed
