"""Three nodes over NATS, with phoenix.js on all of them: what one publishes the others hear."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from roost.shared.cluster import AskNode, EngineState
from roost.shared.control import AskStatus, NodeStatus
from roost.shared.envelopes import encode_message
from tests.e2e.cluster import await_row, await_status, cluster, cluster_node, name_of
from tests.e2e.node import Node, kill, wait_for
from tests.e2e.phoenix_js import PhoenixJs
from tests.engines import NatsServer


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with NatsServer() as engine, cluster(engine, "a", "b", "knoten-ü") as nodes:
        yield nodes


async def test_a_broadcast_reaches_the_clients_of_all_nodes(nodes: list[Node], phoenix: PhoenixJs) -> None:
    clients = [await phoenix.connect(node.url) for node in nodes]
    rooms = [await client.join("room:all") for client in clients]
    for number, room in enumerate(rooms):
        room.send("new_msg", {"n": number})
    for room in rooms:
        for number in range(3):
            await room.hears("new_msg", {"n": number})
        assert len(room.payloads("new_msg")) == 3


async def test_who_was_let_in_hears_what_is_broadcast_elsewhere_afterwards(
    nodes: list[Node], phoenix: PhoenixJs
) -> None:
    here, there = [await phoenix.connect(node.url) for node in nodes[:2]]
    for number in range(20):
        speaker = await here.join(f"room:{number}")
        listener = await there.join(f"room:{number}")
        speaker.send("others", {"n": number})
        await listener.hears("others", {"n": number})


async def test_what_one_client_says_comes_in_order(nodes: list[Node], phoenix: PhoenixJs) -> None:
    clients = [await phoenix.connect(node.url) for node in nodes]
    rooms = [await client.join("room:order") for client in clients]
    numbers: list[Any] = [{"n": number} for number in range(300)]
    for payload in numbers:
        rooms[0].send("new_msg", payload)
    for room in rooms:
        await room.hears("new_msg", numbers[-1])
        assert room.payloads("new_msg") == numbers


def test_status_shows_the_cluster(nodes: list[Node]) -> None:
    for node in nodes:
        status = await_status(node, lambda status: status.round_trip is not None)
        assert status.state is EngineState.CONNECTED
        assert status.node == name_of(node)
        assert {row.node for row in status.nodes if row.up} == set(map(name_of, nodes)) - {status.node}
    shown = nodes[0].run("status", "--over", "0").stdout
    assert "cluster: connected to nats://127.0.0.1:" in shown
    assert "knoten-ü" in shown


def test_a_question_to_another_node_is_answered_as_if_it_was_asked_there(nodes: list[Node]) -> None:
    for node in nodes:
        question = AskNode(name_of(nodes[2]), encode_message(AskStatus()))
        answer = node.answer(question, NodeStatus)
        assert answer is not None
        assert answer.cluster is not None
        assert answer.cluster.node == name_of(nodes[2])
    assert nodes[0].answer(AskNode("nobody", encode_message(AskStatus())), NodeStatus) is None


def test_nodes_that_go(nodes: list[Node]) -> None:
    with ExitStack() as stopping:
        fourth = cluster_node("fourth", nodes[0].environment["ROOST_CLUSTER"])
        stopping.callback(fourth.stop)
        fourth.start_broker()
        await_row(nodes[0], "fourth", lambda row: row.up)
        # One of its name does not start beside it.
        namesake = cluster_node("fourth", nodes[0].environment["ROOST_CLUSTER"])
        stopping.callback(namesake.stop)
        namesake.start_broker()
        assert namesake.broker is not None
        wait_for(lambda: namesake.broker is not None and namesake.broker.poll() is not None, "it gives up")
        assert "there is a node named fourth already" in namesake.logged()
        # Killed, it is missed; stopped, it says goodbye.
        assert fourth.broker is not None
        kill(fourth.broker.pid)
        await_row(nodes[0], "fourth", lambda row: not row.up)
        fourth.broker.wait()
        fourth.start_broker()
        await_row(nodes[0], "fourth", lambda row: row.up)
        fourth.stop_processes()
        row = await_row(nodes[0], "fourth", lambda row: not row.up)
        assert row.heard < 3
