"""What a worker's replica does on the bus: for other nodes that come and go, and for what is too large for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from roost.gateway.clients.runtime import Runtime
from roost.gateway.endpoint import Endpoint
from roost.gateway.presence.entries import Part, Row
from roost.gateway.presence.gossip import Farewell, Gossip, Heartbeat, decode_gossip, encode_gossip
from roost.gateway.presence.presence import Presence
from roost.gateway.presence.replica import Replica
from roost.shared.bus import Form, Letter, Publish, Reach, encode_letter
from roost.shared.run_directory import worker_name
from tests.gateway.lone_worker import lone_worker

FAR = "far-node:3"


class Here(Presence):
    """Who is here."""


@asynccontextmanager
async def replica() -> AsyncIterator[tuple[Replica, Runtime]]:
    endpoint = Endpoint(presences=[Here()])
    with lone_worker(endpoint) as runtime:
        endpoint.serve(runtime)
        runtime.nodes.up("far", "far-node")
        try:
            yield runtime.presences[0], runtime
        finally:
            await runtime.presences[0].close()


def hear(replica: Replica, message: Gossip) -> None:
    replica.letter("", encode_letter(Letter(Form.PLAIN, "", encode_gossip(message))))


def said(runtime: Runtime) -> list[tuple[Gossip, Publish]]:
    """All that was published, in order."""
    uplink: Any = runtime.uplink
    items = [msgspec.msgpack.decode(logged.item, type=Publish) for logged in uplink._delivery._log._logged]
    return [(decode_gossip(item.payload), item) for item in items]


def in_topic(topic: str) -> Heartbeat:
    row = Row(1, topic, "x", 5, b'{"phx_ref":"r"}')
    return Heartbeat(FAR, {FAR: 1}, Part(clouds={FAR: [1]}, rows={FAR: [row]}))


async def test_nobody_is_present_on_a_node_that_has_gone() -> None:
    async with replica() as (here, runtime):
        hear(here, in_topic("hall"))
        assert here.tracker.presences.size("hall") == 1
        here.node_down("another-node")
        assert here.tracker.presences.size("hall") == 1
        here.node_down("far-node")
        assert here.tracker.presences.size("hall") == 0
        here.node_up("far-node")
        assert here.tracker.presences.size("hall") == 0
        asked, item = said(runtime)[-1]
        assert isinstance(asked, Heartbeat)
        assert (asked.greets, item.topic, item.reach) == (True, f"\0presence:{here._name}:{FAR}", Reach.CLUSTER)
        hear(here, Heartbeat(FAR, {FAR: 1}))
        assert here.tracker.presences.size("hall") == 1


async def test_the_death_of_a_worker_is_told_to_other_nodes() -> None:
    async with replica() as (here, runtime):
        node = runtime.uplink.node_id()
        uplink: Any = runtime.uplink
        life = uplink._run_dir.live(worker_name(7))
        hear(here, Heartbeat(f"{node}:7", {}))
        here.look_for_dead()
        assert said(runtime) == []
        life.release()
        here.look_for_dead()
        assert [message for message, _ in said(runtime)] == [Farewell(f"{node}:7")]


async def test_who_counts_on_a_worker_that_died_unseen_is_corrected() -> None:
    async with replica() as (here, runtime):
        node = runtime.uplink.node_id()
        uplink: Any = runtime.uplink
        with_it = uplink._run_dir.live(worker_name(1))  # this one
        hear(here, Heartbeat(FAR, {FAR: 0, f"{node}:1": 4, f"{node}:99": 2}))
        assert [message for message, _ in said(runtime) if isinstance(message, Farewell)] == [Farewell(f"{node}:99")]
        with_it.release()


async def test_a_node_that_is_alone_says_nothing_of_its_dead() -> None:
    async with replica() as (here, runtime):
        runtime.nodes.are(())
        hear(here, Heartbeat(FAR, {FAR: 0, f"{runtime.uplink.node_id()}:99": 2}))
        assert not [message for message, _ in said(runtime) if isinstance(message, Farewell)]


async def test_what_the_engine_does_not_take_stays_in_the_node(caplog: pytest.LogCaptureFixture) -> None:
    async with replica() as (here, runtime):
        runtime.uplink.max_payload = 100
        here.tracker.track(1, "hall", "x", {"text": "x" * 200})
        here.tracker.tell()
        here.changed()
        assert [item.reach for _, item in said(runtime)] == [Reach.NODE]
        assert "other nodes miss presences" in caplog.text
        await asyncio.sleep(0)
