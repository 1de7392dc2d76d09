"""Commands across the nodes of a real cluster: asked of one node, answered by the others, the silent ones named."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.cluster import cluster
from tests.e2e.node import PATIENCE, Node, wait_for
from tests.e2e.raw import RawClient
from tests.e2e.test_trace import nothing_is_left, trace, traces_on
from tests.engines import NatsServer
from tests.ports import free_port


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with NatsServer() as engine, cluster(engine, "a", "b", STALL_LIMIT=PATIENCE) as nodes:
        yield nodes


async def ask(node: Node, *arguments: str) -> Any:
    return await asyncio.to_thread(node.ask, *arguments)


async def test_commands_look_at_the_others_and_act_on_them(nodes: list[Node]) -> None:
    a, b = nodes
    async with RawClient(a.url) as one, RawClient(b.url) as two:
        await one.join("room:a")
        await two.join("room:b")
        topics = await ask(a, "topics", "room:", "--node", "all")
        assert {name: [row["topic"] for row in one["topics"]] for name, one in topics["nodes"].items()} == {
            "a": ["room:a"],
            "b": ["room:b"],
        }
        assert topics["silent"] == {}
        (found,) = (await ask(a, "client", "127.0.0.1", "--node", "b"))["sockets"]
        assert (await ask(a, "disconnect", found["socket"], "--node", "b"))["sockets"] == [found["socket"]]
        await two.closed()
        assert (await ask(b, "subscribers", "room:a", "--node", "a"))["total"] == 1
    tree = await ask(a, "tree", "--node", "b")
    assert (tree["bridge"]["name"], tree["bridge"]["state"]) == ("bridge", "running")
    status = await ask(a, "status", "--node", "b")
    assert b.broker is not None
    assert status["pid"] == b.broker.pid
    pids = {status["pid"], status["gateway"]["pid"], *(one["pid"] for one in status["gateway"]["workers"])}
    assert pids <= set(map(int, status["load"]["processes"]))
    top = await ask(a, "top", "--node", "b", "--interval", "0.1", "--count", "1")
    assert [worker["number"] for worker in top["workers"]] == [one["number"] for one in status["gateway"]["workers"]]
    assert (top["silent"], top["troubles"]) == ([], [])
    assert (top["bridge"]["state"], top["bridge"]["buffered"]) == ("connected", 0)
    assert [(row["node"], row["up"], row["lost"]) for row in top["bridge"]["nodes"]] == [("a", True, 0)]
    assert top["bridge"]["rates"].keys() == {"sent", "received", "lost", "dropped"}
    shown = await ask(a, "nodes")
    assert (shown["node"], shown["state"], [row["node"] for row in shown["nodes"]]) == ("a", "connected", ["b"])


async def test_another_node_is_followed_with_what_comes_to_it_from_others(nodes: list[Node]) -> None:
    a, b = nodes
    async with RawClient(a.url) as one, RawClient(b.url) as two:
        for client in (one, two):
            await client.join("room:trace")
        async with trace(a, "--node", "b", "--topic", "room:*", "--event", "new_msg") as following:
            assert (await traces_on(a), await traces_on(b)) == ({0}, {1})
            for speaker in (two, one):
                await speaker.send(["1", "2", "room:trace", "new_msg", {"n": 1}])
                await two.receive()
            message, own, others = await following.rows(3)
        await nothing_is_left(b)
    assert (message["kind"], own["kind"], own["socket"]) == ("message", "broadcast", message["socket"])
    assert "node" not in own
    assert (others["kind"], others["node"], others["event"], others["missing"]) == ("broadcast", "a", "new_msg", [])
    assert (others["size"], "socket" in others, "payload" in others) == (len('{"n": 1}'), False, False)
    way = ["bridge in", "published", "shard in", "encoded", "worker in", "first write", "last write"]
    assert [hop["hop"] for hop in others["hops"]] == way
    assert others["hops"][-1]["recipients"] == 1


def test_the_doctor_looks_at_the_engine(nodes: list[Node]) -> None:
    a, _ = nodes

    def found(*options: str) -> tuple[str, str]:
        findings = json.loads(a.run("doctor", "--json", *options).stdout)["findings"]
        (finding,) = (finding for finding in findings if finding["what"] == "cluster")
        return finding["verdict"], finding["says"]

    engine = a.environment["ROOST_CLUSTER"]
    assert found() == ("ok", f"{engine} answers; other nodes that are heard: 1")
    no_node = "--run-dir", str(a.run_dir / "other")
    assert found(*no_node) == ("ok", f"{engine} answers")
    a.environment["ROOST_CLUSTER"] = f"nats://127.0.0.1:{free_port()}"
    try:
        assert found(*no_node)[0] == "wrong"
    finally:
        a.environment["ROOST_CLUSTER"] = engine


def test_nodes_that_do_not_answer_are_named(nodes: list[Node]) -> None:
    a, b = nodes
    unknown = a.run("routes", "--node", "z")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("node z cannot be reached")
    assert b.broker is not None
    os.kill(b.broker.pid, signal.SIGSTOP)
    try:
        result = a.run("routes", "--node", "all", "--json")
    finally:
        os.kill(b.broker.pid, signal.SIGCONT)
    answer = json.loads(result.stdout)
    assert (result.returncode, set(answer["nodes"]), set(answer["silent"])) == (1, {"a"}, {"b"})
    b.stop_processes()
    wait_for(lambda: [row["up"] for row in a.ask("nodes")["nodes"]] == [False], "b is down", a.logged)
    shown = a.run("routes", "--node", "all")
    assert shown.returncode == 1
    assert "node b is down, last heard 0:00:" in shown.stdout
