"""Nodes at different servers of one NATS: what one server confirms the others learn a moment later."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.e2e.cluster import await_status, cluster_node, meet, start
from tests.e2e.node import Node
from tests.e2e.partition import Partition
from tests.e2e.phoenix_js import PhoenixJs
from tests.engines import NatsServer
from tests.ports import free_port

ROOMS = "tests.applications.clustered_rooms:endpoint"
DELAY = 0.03
"""Seconds from one server to the other."""
FRESH = 8


@contextmanager
def servers_in_a_cluster() -> Iterator[list[NatsServer]]:
    """Two, a long way apart."""
    port = free_port()
    with NatsServer("--cluster", f"nats://127.0.0.1:{port}") as one, Partition(port, DELAY) as way:
        route = ("--cluster", f"nats://127.0.0.1:{free_port()}", "--routes", f"nats://127.0.0.1:{way.port}")
        with NatsServer(*route) as other:
            yield [one, other]


@contextmanager
def node_at_each(servers: list[NatsServer]) -> Iterator[list[Node]]:
    nodes = [cluster_node(name, server.url, app=ROOMS) for name, server in zip(("a", "b"), servers, strict=True)]
    with ExitStack() as running:
        for node in nodes:
            running.callback(node.stop)
            start(node)
        for node in nodes:
            node.wait_until_serving()
        meet(*nodes)
        yield nodes


async def test_who_was_let_in_hears_what_is_broadcast_at_another_server(phoenix: PhoenixJs) -> None:
    with servers_in_a_cluster() as servers, node_at_each(servers) as nodes:
        here, there = [await phoenix.connect(node.url) for node in nodes]
        for number in range(FRESH):
            speaker = await here.join(f"room:{number}")
            listener = await there.join(f"room:{number}")  # its server knows at once, the speaker's does not
            speaker.send("new_msg", {"n": number})
            await listener.hears("new_msg", {"n": number})
        for node in nodes:
            status = await_status(node, lambda status: status.state.value == "connected")
            assert [(row.lost, row.unknown_gaps) for row in status.nodes] == [(0, 0)]
