"""What a node of real processes says of itself, next to what its clients know."""

import asyncio
import json
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics

from tests.e2e.http import Response, request
from tests.e2e.node import Node, kill
from tests.e2e.raw import RawClient, UnreadClient
from tests.limits import LIMIT
from tests.ports import free_port

CLIENTS = 20
MESSAGES = 25
Page = dict[str, list[tuple[dict[str, str], float]]]


class WatchedNode(Node):
    """A node with an admin listener."""

    def __init__(self, app: str = "examples.playground:endpoint", *, shards: int = 3, workers: int = 2) -> None:
        super().__init__(app, shards=shards, workers=workers)
        self.admin_port = free_port()
        self.environment["ROOST_ADMIN_PORT"] = str(self.admin_port)
        self.patient()

    @property
    def token(self) -> str:
        return (self.run_dir / "admin_token").read_text()

    async def whole_page(self) -> Page:
        """The metrics when all processes told theirs: on a busy machine one may be late."""
        async with asyncio.timeout(LIMIT):
            while silent(page := await self.page()):
                pass
        return page

    async def page(self) -> Page:
        """The metrics as Prometheus would read them."""
        accept = {"Accept": "application/openmetrics-text", "Authorization": f"Bearer {self.token}"}
        response = await request(self.admin_port, "/metrics", accept)
        assert response.status == 200, response
        page: Page = {}
        for family in read_openmetrics(response.body.decode()):  # type: ignore[no-untyped-call]
            for sample in family.samples:
                page.setdefault(sample.name, []).append((sample.labels, sample.value))
        return page

    async def ready(self) -> Response:
        return await request(self.admin_port, "/ready")


def total(page: Page, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    return sum(value for found, value in page[name] if labels.items() <= found.items())


def silent(page: Page) -> list[str]:
    """The processes that did not answer in time."""
    return [labels["process"] for labels, up in page["roost_process_up"] if not up]


def growth(before: Page, after: Page, name: str, **labels: str) -> float:
    return total(after, name, **labels) - total(before, name, **labels)


@pytest.fixture(scope="module")
def watched_node() -> Iterator[WatchedNode]:
    with WatchedNode() as running:
        yield running


@pytest.fixture
def lone_watched_node() -> Iterator[WatchedNode]:
    """For one test, which breaks it."""
    with WatchedNode() as running:
        yield running


async def until(node: WatchedNode, name: str, value: float, **labels: str) -> Page:
    """Read pages until one says so."""
    async with asyncio.timeout(LIMIT):
        while total(page := await node.whole_page(), name, **labels) != value:
            pass
    return page


async def test_what_clients_did_is_what_the_page_says(watched_node: WatchedNode) -> None:
    before = await watched_node.whole_page()
    sent = received = 0
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(watched_node.url)) for _ in range(CLIENTS)]
        for client in clients:
            await client.join("room:watched")
        refused = await clients[0].ask(["2", "2", "nothing:here", "phx_join", {}])
        assert refused[4]["status"] == "error"
        for number in range(MESSAGES):
            text = f'["1","{number}","room:watched","new_msg",{{"n":{number}}}]'
            await clients[number % CLIENTS].connection.send(text)
            sent += 6 + len(text)
        for client in clients:
            for _ in range(MESSAGES):
                async with asyncio.timeout(LIMIT):
                    received += 2 + len(await client.connection.recv())
        assert (await clients[0].ask(["1", "9", "room:watched", "ping", {}]))[4]["status"] == "ok"
        during = await until(watched_node, "roost_connections", CLIENTS)
    assert growth(before, during, "roost_channels") == CLIENTS
    assert growth(before, during, "roost_joins_total", result="ok") == CLIENTS
    assert growth(before, during, "roost_joins_total", result="error") == 1
    assert growth(before, during, "roost_messages_received_total") == CLIENTS + 1 + MESSAGES + 1
    assert growth(before, during, "roost_publishes_total") == MESSAGES
    assert growth(before, during, "roost_deliveries_total") == CLIENTS * MESSAGES
    assert growth(before, during, "roost_messages_sent_total", kind="broadcast") == CLIENTS * MESSAGES
    assert growth(before, during, "roost_messages_sent_total", kind="reply") == CLIENTS + 2
    assert growth(before, during, "roost_dropped_total") == 0
    assert growth(before, during, "roost_sent_bytes_total") > received
    assert growth(before, during, "roost_received_bytes_total") > sent
    assert growth(before, during, "roost_shard_deliveries_total") == CLIENTS * MESSAGES
    assert growth(before, during, "roost_shard_publishes_total") == 3 * MESSAGES
    assert growth(before, during, "roost_shard_batch_publishes_sum") == 3 * MESSAGES
    assert growth(before, during, "roost_latency_seconds_count") > 0
    assert 0 < growth(before, during, "roost_latency_seconds_sum") < LIMIT
    assert growth(before, during, "roost_write_seconds_count") > 0
    after = await until(watched_node, "roost_connections", 0)
    assert total(after, "roost_channels") == 0


async def test_bytes_are_exactly_those_on_the_wire(watched_node: WatchedNode) -> None:
    async with RawClient(watched_node.url) as client:
        await client.join("room:bytes")
        before = await watched_node.whole_page()
        asked = '["1","2","room:bytes","ping",{"body":"hello"}]'
        await client.connection.send(asked)
        async with asyncio.timeout(LIMIT):
            answered = await client.connection.recv()
        after = await watched_node.whole_page()
    assert growth(before, after, "roost_received_bytes_total") == 6 + len(asked)
    assert growth(before, after, "roost_sent_bytes_total") == 2 + len(answered)


async def test_labels_are_never_what_clients_chose(watched_node: WatchedNode) -> None:
    async with RawClient(watched_node.url) as client:
        await client.join("room:a-name-of-mine")
        await client.ask(["1", "2", "room:a-name-of-mine", "ping", {}])
        page = await watched_node.page()
    assert "a-name-of-mine" not in str(page)
    names = {name for samples in page.values() for labels, _ in samples for name in labels}
    assert names <= {
        *("process", "worker", "shard", "child", "result", "kind", "reason", "how", "queue", "le", "version"),
        "roost_resharding",
    }


def test_the_token_is_the_owners_alone(watched_node: WatchedNode) -> None:
    mode = (watched_node.run_dir / "admin_token").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert len(watched_node.token) >= 43


async def test_the_port_is_on_loopback_alone(watched_node: WatchedNode) -> None:
    status: Any = watched_node.status()
    assert [port for _, port in status["gateway"]["addresses"]] != [watched_node.admin_port]
    assert (await request(watched_node.admin_port, "/health", host="::1", headers={"Host": "[::1]"})).status == 200
    with pytest.raises(ConnectionRefusedError):
        await request(watched_node.admin_port, "/health", host="127.0.0.2")


async def test_a_worker_and_a_shard_that_do_not_answer_are_named(lone_watched_node: WatchedNode) -> None:
    node = lone_watched_node
    status: Any = node.status()
    workers = {worker["number"]: worker["pid"] for worker in status["gateway"]["workers"]}
    stopped = [workers[min(workers)], status["shards"][0]["pid"]]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(LIMIT):
            while len(silent(page := await node.page())) > len(stopped):
                pass
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert sorted(name.split()[0] for name in silent(page)) == ["shard", "worker"]
    assert "shard 0/0" in silent(page)
    assert len(page["roost_connections"]) == 1
    assert len(page["roost_shard_open"]) == 2
    await until(node, "roost_process_up", 7)


async def test_restarts_and_reshards_are_told(lone_watched_node: WatchedNode) -> None:
    node = lone_watched_node
    status: Any = node.status()
    kill(status["gateway"]["workers"][0]["pid"])
    kill(status["shards"][0]["pid"])
    await until(node, "roost_restarts_total", 1, child="worker")
    await until(node, "roost_restarts_total", 1, child="shard")
    assert node.run("scale", "shards", "2").returncode == 0
    page = await until(node, "roost_resharding", 1, roost_resharding="done")
    assert total(page, "roost_epoch") == 1
    assert total(page, "roost_resharding_seconds") > 0
    assert {labels["shard"] for labels, _ in page["roost_shard_open"]} == {"1/0", "1/1"}
    assert total(page, "roost_restarts_total", child="shard") == 1


async def test_what_waits_for_a_slow_client_is_told() -> None:
    with WatchedNode("tests.applications.slow:endpoint", shards=1, workers=1) as node:
        async with RawClient(node.url) as speaker, UnreadClient(node.port) as stuck:
            await speaker.join("strict:1")
            await stuck.join("strict:1")
            number = 0
            while not total(page := await node.page(), "roost_slow_clients"):
                number += 1
                heard = await speaker.ask(["1", str(number), "strict:1", "say", {"number": number, "fill": "x" * 9000}])
                assert heard[3] == "said"
                await speaker.receive()
            assert total(page, "roost_worker_queue_bytes", queue="clients") > 0
        await until(node, "roost_slow_clients", 0)


async def test_ready_means_that_clients_are_taken(lone_watched_node: WatchedNode) -> None:
    node = lone_watched_node
    assert (await node.ready()).status == 200
    assert node.run("drain").returncode == 0
    drained = await node.ready()
    assert drained.status == 503
    assert b"roost drain --off" in drained.body
    assert node.run("drain", "--off").returncode == 0
    assert (await node.ready()).status == 200
    assert node.broker is not None
    kill(node.broker.pid)
    async with asyncio.timeout(LIMIT):
        while (await node.ready()).status == 200:
            pass
    assert b"no broker" in (await node.ready()).body
    assert (await request(node.admin_port, "/health")).status == 200
    page = await node.page()
    assert {labels["process"]: value for labels, value in page["roost_process_up"]}["broker"] == 0
    assert total(page, "roost_ready") == 0


async def test_a_node_that_stops_says_so_and_ends_in_order(lone_watched_node: WatchedNode) -> None:
    node = lone_watched_node
    reader, writer = await asyncio.open_connection("127.0.0.1", node.admin_port)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(RawClient(node.url))
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        assert node.run("stop").returncode == 0
    await asyncio.to_thread(node.wait_until_stopped)
    writer.close()
    assert node.gateway is not None
    assert node.gateway.returncode == 0
    assert "Traceback" not in node.logged()


def test_commands_know_where_the_listener_is(watched_node: WatchedNode) -> None:
    assert ["127.0.0.1", watched_node.admin_port] in watched_node.status()["gateway"]["admin_addresses"]
    assert f"the dashboard on 127.0.0.1 port {watched_node.admin_port}" in watched_node.run("status").stdout
    findings = {finding["what"]: finding for finding in watched_node.ask("doctor")["findings"]}
    assert findings[f"port {watched_node.admin_port}"]["says"] == "this node listens on it"
    elsewhere = watched_node.run("doctor", "--run-dir", str(watched_node.run_dir / "other"), "--json")
    findings = {finding["what"]: finding for finding in json.loads(elsewhere.stdout)["findings"]}
    taken = findings[f"port {watched_node.admin_port}"]
    assert (taken["verdict"], "ROOST_ADMIN_PORT" in taken["fix"]) == ("wrong", True)


def test_a_port_that_is_taken_is_said(watched_node: WatchedNode) -> None:
    other = Node()
    other.environment["ROOST_ADMIN_PORT"] = str(watched_node.admin_port)
    try:
        result = other.run("gateway", "examples.playground:endpoint")
    finally:
        other.stop()
    assert result.returncode != 0
    assert f"ROOST_ADMIN_PORT: port {watched_node.admin_port} is already in use" in result.stderr
