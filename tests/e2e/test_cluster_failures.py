"""What goes on, and what is lost and counted, when an engine, a node or a bridge goes."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from roost.shared.cluster import EngineState
from roost.shared.control import AskResharding
from roost.shared.resharding import ReshardingStatus
from tests.e2e.cluster import (
    await_row,
    await_status,
    bridge_pid,
    cluster,
    cluster_node,
    cluster_status,
    meet,
    name_of,
    start,
)
from tests.e2e.node import ROOST, Node, kill, wait_for
from tests.e2e.phoenix_js import Channel, PhoenixJs
from tests.engines import WHY_NO_REDIS, EngineServer, NatsServer, RedisServer

needs_redis = pytest.mark.skipif(bool(WHY_NO_REDIS), reason=WHY_NO_REDIS or "-")

ROOMS = "tests.applications.clustered_rooms:endpoint"
BUFFER = 1024 * 1024
FEW_WAIT = {"CLUSTER_BUFFER_BYTES": str(BUFFER)}


class Running(NamedTuple):
    engine: EngineServer
    here: Node
    there: Node


@pytest.fixture(
    scope="module",
    params=[pytest.param(NatsServer, id="nats"), pytest.param(RedisServer, id="redis", marks=needs_redis)],
)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    """Two nodes; each test leaves them whole."""
    with request.param() as engine, cluster(engine, "here", "there", app=ROOMS, **FEW_WAIT) as (here, there):
        yield Running(engine, here, there)


async def rooms(running: Running, phoenix: PhoenixJs, topic: str) -> tuple[Channel, Channel]:
    """A client on each node, in one room."""
    clients = [await phoenix.connect(node.url) for node in running[1:]]
    return await clients[0].join(topic), await clients[1].join(topic)


def say(room: Channel, numbers: range) -> None:
    for number in numbers:
        room.send("new_msg", number_payload(number))


def number_payload(number: int) -> Any:
    return {"n": number}


def heard(room: Channel) -> list[int]:
    return [payload["n"] for payload in room.payloads("new_msg")]


def lost_and_received(node: Node, other: Node) -> tuple[int, int]:
    status = cluster_status(node)
    assert status is not None
    (row,) = [row for row in status.nodes if row.node == name_of(other)]
    return row.lost, row.received


def told_lost(node: Node) -> int:
    """How many publishes the node's application was told to be lost."""
    return sum(int(number) for number in re.findall(r"^lost (\d+) of here$", node.logged(), re.MULTILINE))


async def test_an_engine_that_is_killed_and_comes_back(running: Running, phoenix: PhoenixJs) -> None:
    here, there = await rooms(running, phoenix, "room:killed")
    before = lost_and_received(running.there, running.here)
    say(here, range(100))
    await there.hears("new_msg", number_payload(99))
    say(here, range(100, 300))
    running.engine.kill()
    say(here, range(300, 400))
    await here.hears("new_msg", number_payload(399))
    await_status(running.here, lambda status: status.state is not EngineState.CONNECTED)
    # Who joins meanwhile does not wait for other nodes.
    late = await (await phoenix.connect(running.there.url)).join("room:late")
    late.send("new_msg", number_payload(0))
    await late.hears("new_msg", number_payload(0))
    running.engine.start()
    meet(running.here, running.there)
    say(here, range(400, 500))
    await there.hears("new_msg", number_payload(499))
    await here.hears("new_msg", number_payload(499))
    await_status(running.here, lambda status: not status.buffered)
    came = heard(there)
    assert heard(here) == list(range(500))
    assert came == sorted(set(came))
    assert set(range(300, 500)) <= set(came)
    after = lost_and_received(running.there, running.here)
    assert (after[0] - before[0], after[1] - before[1]) == (500 - len(came), len(came))


async def test_what_finds_no_room_while_the_engine_is_away_is_counted_and_told(
    running: Running, phoenix: PhoenixJs
) -> None:
    here, there = await rooms(running, phoenix, "room:full")
    before, told = lost_and_received(running.there, running.here), told_lost(running.there)
    running.engine.kill()
    await_status(running.here, lambda status: status.state is not EngineState.CONNECTED)
    for number in range(60):
        here.send("new_msg", {"n": number, "text": "x" * 20_000})
    await here.hears_so_often("new_msg", 60)
    status = await_status(running.here, lambda status: status.dropped > 0)
    assert BUFFER // 2 < status.buffered_bytes <= BUFFER
    running.engine.start()
    meet(running.here, running.there)
    await_status(running.here, lambda status: not status.buffered)
    say(here, range(60, 61))
    await there.hears("new_msg", number_payload(60), limit=20)
    came = heard(there)
    assert came == [*range(len(came) - 1), 60]
    lost = 61 - len(came)
    assert lost == status.dropped
    after = lost_and_received(running.there, running.here)
    assert (after[0] - before[0], after[1] - before[1]) == (lost, len(came))
    wait_for(lambda: told_lost(running.there) - told == lost, "the application is told", running.there.logged)


async def test_an_engine_that_stops_answering(running: Running, phoenix: PhoenixJs) -> None:
    here, there = await rooms(running, phoenix, "room:frozen")
    before = lost_and_received(running.there, running.here)
    say(here, range(10))
    await there.hears("new_msg", number_payload(9))
    running.engine.freeze()
    say(here, range(10, 50))
    await here.hears("new_msg", number_payload(49))
    for node in running[1:]:
        await_status(node, lambda status: status.state is EngineState.DEAF)
    say(here, range(50, 100))
    await here.hears("new_msg", number_payload(99))
    running.engine.thaw()
    meet(running.here, running.there)
    say(here, range(100, 150))
    await there.hears("new_msg", number_payload(149))
    await_status(running.here, lambda status: status.state is EngineState.CONNECTED and not status.buffered)
    came = heard(there)
    assert came == sorted(set(came))
    after = lost_and_received(running.there, running.here)
    assert (after[0] - before[0], after[1] - before[1]) == (150 - len(came), len(came))


async def test_a_bridge_that_is_killed(running: Running, phoenix: PhoenixJs) -> None:
    here, there = await rooms(running, phoenix, "room:bridge")
    gaps = await_row(running.there, "here", lambda row: row.up).unknown_gaps
    kill(bridge_pid(running.here))
    say(here, range(20))
    await here.hears("new_msg", number_payload(19))
    await_row(running.there, "here", lambda row: row.unknown_gaps > gaps)
    meet(running.here, running.there)
    # Joins wait for the new bridge, which knows what those before had wanted.
    await (await phoenix.connect(running.here.url)).join("room:after")
    say(here, range(100, 120))
    await there.hears("new_msg", number_payload(119))
    say(there, range(200, 220))
    await here.hears("new_msg", number_payload(219))
    came = heard(there)
    assert came == sorted(set(came), key=came.index)
    assert [number for number in came if 100 <= number < 200] == list(range(100, 120))


async def test_shards_are_scaled_meanwhile(running: Running, phoenix: PhoenixJs) -> None:
    here, there = await rooms(running, phoenix, "room:scaled")
    say(here, range(200))
    scaling = running.there.spawn(ROOST, "scale", "shards", "2")
    for first in range(200, 2000, 200):
        if first == 800:
            running.engine.kill()
        say(here, range(first, first + 200))
        await here.hears("new_msg", number_payload(first + 199))
        if first == 800:
            running.engine.start()
        await there.hears("new_msg", number_payload(first + 199))
    wait_for(lambda: scaling.poll() is not None, "the shards are scaled", running.there.logged)
    assert scaling.returncode == 0, running.there.logged()
    say(here, range(2000, 2100))
    for room in (here, there):
        await room.hears("new_msg", number_payload(2099))
    assert heard(here) == heard(there) == list(range(2100))
    assert running.there.answer(AskResharding(), ReshardingStatus) is not None


def test_a_node_starts_without_its_engine_and_ends_with_a_sentence_if_it_is_not_let_in() -> None:
    with ExitStack() as stopping:
        engine = NatsServer("--auth", "s3cret")
        alone = cluster_node("alone", f"nats://s3cret@127.0.0.1:{engine.port}")
        stopping.callback(alone.stop)
        start(alone)
        await_status(alone, lambda status: status.state is EngineState.CONNECTING)
        stopping.enter_context(engine)
        await_status(alone, lambda status: status.state is EngineState.CONNECTED)
        stranger = cluster_node("stranger", engine.url)
        stopping.callback(stranger.stop)
        stranger.start_broker()
        wait_for(lambda: stranger.broker is not None and stranger.broker.poll() is not None, "it gives up")
        assert f"nats://127.0.0.1:{engine.port} does not accept the credentials" in stranger.logged()
        assert "s3cret" not in alone.logged()
