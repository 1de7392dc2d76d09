"""The dashboard's channels on a node of real processes: whom they let in, and that they tell what clients know."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from roost.gateway.admin.dashboard.socket import MAX_DASHBOARDS
from tests.e2e.dashboard import DashboardClient, talking
from tests.e2e.http import request
from tests.e2e.node import kill, wait_for
from tests.e2e.phoenix_js import PhoenixJs
from tests.e2e.raw import RawClient
from tests.e2e.test_metrics import WatchedNode
from tests.limits import LIMIT

CLIENTS = 20
HOSTILE = "room:<img src=x onerror=alert(1)>\u202e\u0000" + "long" * 240


@pytest.fixture(scope="module")
def node() -> Iterator[WatchedNode]:
    with WatchedNode() as running:
        yield running


@pytest.fixture
def lone_node() -> Iterator[WatchedNode]:
    """For one test, which breaks it."""
    with WatchedNode() as running:
        yield running


@asynccontextmanager
async def crowd(node: WatchedNode) -> AsyncIterator[list[RawClient]]:
    """Clients in one room, each in another one too."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(node.url)) for _ in range(CLIENTS)]
        for at, client in enumerate(clients):
            await client.join("room:all")
            await client.join(HOSTILE if at == 0 else f"room:{at % 3}", "2")
        yield clients


async def refusal(node: WatchedNode, **how: Any) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with DashboardClient(node, **how):
            pass
    return int(refused.value.response.status_code)


async def test_who_is_let_in(node: WatchedNode) -> None:
    assert await refusal(node, token="wrong") == 401
    assert await refusal(node, token="") == 401
    assert await refusal(node, origin="http://example.com") == 403
    assert await refusal(node, origin=f"http://localhost:{node.port}") == 403
    assert await refusal(node, origin="null") == 403
    async with DashboardClient(node, origin=f"http://127.0.0.1:{node.admin_port}") as client:
        await client.join("node")


async def test_a_page_under_another_name_gets_nothing(node: WatchedNode) -> None:
    rebound = f"rebound.example:{node.admin_port}"
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = {
        "Host": rebound,
        "Origin": f"http://{rebound}",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **upgrade,
    }
    assert (await request(node.admin_port, "/dashboard/socket/websocket?vsn=2.0.0", headers)).status == 421
    for target in ("/dashboard", "/dashboard/main.js", "/dashboard/access"):
        assert (await request(node.admin_port, target, {"Host": rebound})).status == 421


async def test_the_page_is_open_and_lets_nothing_else_run_in_it(node: WatchedNode) -> None:
    page = await request(node.admin_port, "/dashboard")
    assert page.status == 200
    assert b"<script>" not in page.body
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    script = await request(node.admin_port, "/dashboard/main.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (await request(node.admin_port, "/dashboard/access")).status == 401
    assert (await request(node.admin_port, f"/dashboard/access?token={node.token}")).status == 204
    assert (await request(node.admin_port, "/dashboard/page.py")).status == 401


async def test_there_is_room_for_so_many(lone_node: WatchedNode) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MAX_DASHBOARDS):
            await stack.enter_async_context(DashboardClient(lone_node))
        assert await refusal(lone_node) == 503
        access = await request(lone_node.admin_port, f"/dashboard/access?token={lone_node.token}")
        assert (access.status, access.body) == (503, b"16 dashboards are open already: close one\n")
    async with asyncio.timeout(LIMIT):
        while (await request(lone_node.admin_port, f"/dashboard/access?token={lone_node.token}")).status != 204:
            pass
    async with DashboardClient(lone_node) as client:
        await client.join("node")


async def test_the_official_client_sees_the_node(node: WatchedNode, phoenix: PhoenixJs) -> None:
    url = f"ws://127.0.0.1:{node.admin_port}/dashboard/socket"
    client = await phoenix.connect(url, authToken=node.token)
    channel = await client.join("node")
    seen = await channel.sees(event="measured")
    assert [worker["name"] for worker in seen["payload"]["workers"]] == ["worker 0", "worker 1"]


async def test_the_node_is_as_its_clients_know_it(node: WatchedNode) -> None:
    async with DashboardClient(node) as dashboard, crowd(node) as clients:
        joined = await dashboard.join("node")
        assert joined["max_shards"] == 64
        seen = await dashboard.hears("measured", lambda seen: seen["connections"] == CLIENTS and not seen["silent"])
        assert sum(worker["connections"] for worker in seen["workers"]) == CLIENTS
        assert (seen["channels"], seen["why_not_ready"]) == (2 * CLIENTS, "")
        assert [(shard["epoch"], shard["number"], shard["open"]) for shard in seen["shards"]] == [
            (0, number, True) for number in range(3)
        ]
        assert sum(shard["subscribers"] for shard in seen["shards"]) >= 2 * CLIENTS
        async with talking(clients):
            # What a look sees of one message, received here and delivered there, may be on both sides of it.
            seen = await dashboard.hears(
                "measured",
                lambda seen: (
                    half_to_double(fan_out(seen), CLIENTS)
                    and half_to_double(sum(one["delivered"] for one in seen["shards"]), seen["rates"]["delivered"])
                    and seen["latency"] is not None
                ),
            )
            assert 0 < seen["latency"]["median"] <= seen["latency"]["p99"] <= LIMIT
            hottest = await dashboard.hears("hottest", lambda seen: bool(seen["topics"]))
            assert hottest["topics"][0]["topic"] == "room:all"
        await dashboard.hears("slowest", lambda seen: seen["total"] == 0)
        tree = await dashboard.hears("tree", lambda tree: sum(sockets(tree)) == CLIENTS)
        assert tree["gateway"]["app"] == "examples.playground:endpoint"
        assert [process["name"] for process in tree["shards"]] == ["shard 0/0", "shard 0/1", "shard 0/2"]
        async with DashboardClient(node) as other:
            assert (await other.join("node"))["points"][-1]["rates"]["delivered"] is not None
            assert (await other.hears("tree")).keys() == tree.keys()


def fan_out(seen: Any) -> float:
    """How often a message that was received was delivered."""
    rates = seen["rates"]
    return float(rates["delivered"] / rates["received"]) if rates["received"] > 10 and not seen["silent"] else 0.0


def half_to_double(value: float, right: float) -> bool:
    return right / 2 < value < right * 2


def sockets(tree: Any) -> list[int]:
    return [sum(process["worker"]["sockets"].values()) for process in tree["gateway"]["workers"]]


async def test_topics_and_sockets_are_as_their_clients_know_them(node: WatchedNode) -> None:
    async with DashboardClient(node) as dashboard, crowd(node):
        await dashboard.join("topics")
        await dashboard.join("sockets")
        found = await dashboard.ask("topics", "search", prefix="room:")
        assert (found["total"], found["subscribers"], found["complete"]) == (5, 2 * CLIENTS, True)
        assert found["topics"][0] == {"topic": "room:all", "subscribers": CLIENTS}
        page = await dashboard.ask("topics", "search", prefix="room:", order="topic", offset=1, limit=2)
        assert [row["topic"] for row in page["topics"]] == ["room:1", "room:2"]
        subscribers = await dashboard.ask("topics", "subscribers", topic=HOSTILE)
        assert subscribers["total"] == 1
        (row,) = subscribers["subscribers"]
        named = await dashboard.ask("sockets", "named", name=row["socket"])
        (state,) = named["sockets"]
        assert [channel["topic"] for channel in state["channels"]] == ["room:all", HOSTILE]
        at = await dashboard.ask("sockets", "at", address="127.0.0.1")
        assert at["total"] == CLIENTS
        assert "10.0.0" in await dashboard.refused("sockets", "at", address="10.0.0")


async def test_what_happens_is_traced(node: WatchedNode) -> None:
    async with DashboardClient(node) as dashboard, crowd(node) as clients:
        await dashboard.join("trace")
        assert "pattern" in await dashboard.refused("trace", "start", topic="room:*:x")
        begun = await dashboard.ask("trace", "start", topic="room:all", event="new_msg", limit=5000)
        assert begun["limit"] == 1000
        await clients[0].send(["1", "9", "room:all", "new_msg", {"body": "hello"}])

        def broadcasts(news: Any) -> list[Any]:
            return [row for row in news["rows"] if row["kind"] == "broadcast"]

        (row,) = broadcasts(await dashboard.hears("traced", lambda news: bool(broadcasts(news))))
        assert (row["topic"], row["event"], row["missing"]) == ("room:all", "new_msg", [])
        assert sum(hop.get("recipients", 0) for hop in row["hops"]) == CLIENTS
        assert [hop["at"] for hop in row["hops"]] == sorted(hop["at"] for hop in row["hops"])
        await dashboard.ask("trace", "stop")
        await dashboard.ask("trace", "start", topic="room:*", limit=1)
        await clients[0].send(["1", "10", "room:all", "ping", {}])
        assert "found" in (await dashboard.hears("over"))["reason"]


async def test_the_number_of_shards_is_changed_and_seen_to_change(lone_node: WatchedNode) -> None:
    async with DashboardClient(lone_node) as dashboard, crowd(lone_node) as clients:
        await dashboard.join("node")
        assert "1 to 64" in await dashboard.refused("node", "scale", shards=0)
        begun = await dashboard.ask("node", "scale", shards=5)
        assert (begun["shards_before"], begun["shards"], begun["epoch"]) == (3, 5, 1)
        done = await dashboard.hears("resharding", lambda status: status["phase"] == "done")
        assert done["epoch"] == 1
        seen = await dashboard.hears("measured", lambda seen: seen["epoch"] == 1 and len(seen["shards"]) == 5)
        assert {shard["epoch"] for shard in seen["shards"]} == {1}
        assert (await clients[0].ask(["1", "9", "room:all", "ping", {}]))[4]["status"] == "ok"


async def test_a_stalled_worker_is_named_and_hides_nothing_else(lone_node: WatchedNode) -> None:
    status: Any = lone_node.status()
    stopped = status["gateway"]["workers"][0]["pid"]
    async with DashboardClient(lone_node) as dashboard:
        await dashboard.join("node")
        await dashboard.join("sockets")
        await dashboard.hears("measured")
        os.kill(stopped, signal.SIGSTOP)
        try:
            seen = await dashboard.hears("measured", lambda seen: seen["silent"] != [])
            (silent,) = seen["silent"]
            assert {worker["name"]: worker["up"] for worker in seen["workers"]}[silent] is False
            assert sum(worker["up"] for worker in seen["workers"]) == 1
            assert (await dashboard.ask("sockets", "at", address="127.0.0.1"))["silent"] == [silent]
            tree = await dashboard.hears("tree", lambda tree: not all_answered(tree))
            assert [one["name"] for one in tree["gateway"]["workers"] if not one["answered"]] == [silent]
        finally:
            os.kill(stopped, signal.SIGCONT)
        await dashboard.hears("measured", lambda seen: seen["silent"] == [])


def all_answered(tree: Any) -> bool:
    return all(process["answered"] for process in tree["gateway"]["workers"])


async def test_without_a_broker_the_rest_is_shown(lone_node: WatchedNode) -> None:
    async with DashboardClient(lone_node) as dashboard, crowd(lone_node):
        await dashboard.join("node")
        await dashboard.join("topics")
        assert lone_node.broker is not None
        kill(lone_node.broker.pid)
        seen = await dashboard.hears("measured", lambda seen: seen["why_not_ready"] != "")
        assert seen["why_not_ready"] == "there is no broker"
        assert (seen["silent"], seen["shards"], seen["epoch"]) == (["broker"], [], None)
        assert seen["connections"] == CLIENTS
        tree = await dashboard.hears("tree", lambda tree: tree["silent"] == ["broker"])
        assert len(tree["gateway"]["workers"]) == 2
        assert await dashboard.refused("topics", "search") == "there is no broker"
        assert await dashboard.refused("node", "scale", shards=2) == "there is no broker"
        await dashboard.join("trace")
        assert await dashboard.refused("trace", "start") == "there is no broker"
        assert (await dashboard.ask("topics", "subscribers", topic="room:all"))["total"] == CLIENTS
        lone_node.broker.wait()
        lone_node.start_broker()
        back = await dashboard.hears("measured", lambda seen: seen["why_not_ready"] == "" and seen["shards"])
        assert back["connections"] == CLIENTS


async def test_the_gateway_ends_with_dashboards_open(lone_node: WatchedNode) -> None:
    async with DashboardClient(lone_node) as dashboard:
        await dashboard.join("node")
        await dashboard.hears("measured")
        assert lone_node.gateway is not None
        lone_node.gateway.terminate()
        await dashboard.connection.wait_closed()
        assert dashboard.connection.close_code == 1012
        await asyncio.to_thread(wait_for, lambda: lone_node.gateway.poll() is not None, "the gateway ends")  # type: ignore[union-attr]
        assert lone_node.gateway.returncode == 0
        assert "Traceback" not in lone_node.logged()
