"""Three nodes over NATS, with phoenix.js on all of them: what one publishes the others hear."""

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import cluster
from tests.e2e.node import Node
from tests.e2e.phoenix_js import PhoenixJs
from tests.engines import NatsServer


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with NatsServer() as engine, cluster(engine, "a", "b", "c") as nodes:
        yield nodes


async def test_a_broadcast_reaches_the_clients_of_all_nodes(nodes: list[Node], phoenix: PhoenixJs) -> None:
    clients = [await phoenix.connect(node.url) for node in nodes]
    rooms = [await client.join("room:all") for client in clients]
    for number, room in enumerate(rooms):
        room.send("new_msg", {"n": number})
    for room in rooms:
        for number in range(3):
            await room.hears("new_msg", {"n": number})
