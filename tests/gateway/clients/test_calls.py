"""Questions to channels and messages to one node, where the cluster has several."""

import asyncio
from typing import Any

import pytest

from roost import CallFailed, ChannelAddress, Endpoint, UnknownNode
from roost.gateway.bus.cluster_news import hear_of_cluster
from roost.shared.cluster import NodeDown
from tests.gateway.bus.test_local_bus import HallSocket, Wire, connected
from tests.gateway.two_nodes import nodes
from tests.limits import LIMIT


def make() -> Endpoint:
    return Endpoint(sockets={"/socket": HallSocket})


def address_of(endpoint: Endpoint, topic: str) -> ChannelAddress:
    """As the channel itself would tell it."""
    for subscription in endpoint.runtime.uplink.subscriptions.values():
        if subscription.topic == topic:
            address = subscription.inbox.channel.address
            assert isinstance(address, ChannelAddress)
            return address
    raise AssertionError(f"nobody is in {topic}")


async def test_a_channel_answers_code_of_its_own_node_and_of_others() -> None:
    with nodes(make, "a", "b") as (runtimes, bridges):
        here, there = runtimes["a"].endpoint, runtimes["b"].endpoint
        async with connected(here) as wire:
            await wire.join("hall:x")
            address = address_of(here, "hall:x")
            assert address.node == "a"
            assert await here.call(address, 1) == [1, "hall:x"]
            assert await here.call(ChannelAddress(address.worker, address.subscriber), 1) == [1, "hall:x"]
            assert not bridges["a"].carried
            assert await there.call(address, 2) == [2, "hall:x"]
            assert await there.call(list(address), 3) == [3, "hall:x"]  # type: ignore[arg-type] # as PubSub carries it


async def test_questions_and_answers_are_as_large_as_they_are() -> None:
    with nodes(make, "a", "b") as (runtimes, bridges):
        here, there = runtimes["a"].endpoint, runtimes["b"].endpoint
        for runtime in runtimes.values():
            runtime.uplink.max_payload = 4096
        async with connected(here) as wire:
            await wire.join("hall:x")
            question = "x" * 100_000
            assert await there.call(address_of(here, "hall:x"), question) == [question, "hall:x"]
        assert len(bridges["a"].carried) > 25
        assert len(bridges["b"].carried) > 25


async def test_a_node_that_is_not_there_is_named() -> None:
    with nodes(make, "a", "b") as (runtimes, _):
        with pytest.raises(CallFailed, match="no node 'c' now; there are: a, b"):
            await runtimes["a"].endpoint.call(ChannelAddress(0, 1, "c"), 1)
        assert not runtimes["a"].calls._waiting


async def test_a_channel_that_has_ended_is_told_from_afar() -> None:
    with nodes(make, "a", "b") as (runtimes, _), pytest.raises(CallFailed, match="no such channel"):
        await runtimes["b"].endpoint.call(ChannelAddress(0, 2**40, "a"), 1)


async def test_who_waits_for_a_node_that_goes_is_told_at_once() -> None:
    with nodes(make, "a", "b") as (runtimes, _):
        asking = runtimes["a"].endpoint
        calls = [asyncio.ensure_future(asking.call(ChannelAddress(worker, 1, "b"), 1, LIMIT)) for worker in (7, 8)]
        await asyncio.sleep(0)
        hear_of_cluster(runtimes["a"], NodeDown("b", "id-of-b"))
        async with asyncio.timeout(LIMIT / 2):
            for call in calls:
                with pytest.raises(CallFailed, match="node 'b' has gone"):
                    await call
        assert asking.nodes() == []


async def test_an_answer_to_a_node_that_has_gone_goes_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with nodes(make, "a", "b") as (runtimes, _):
        calls = runtimes["a"].calls
        runtimes["a"].nodes.down("b", "")
        calls._send(0, [1, "answer", None], "b")
        await asyncio.gather(*calls._answering)
    assert not caplog.records


async def test_a_direct_broadcast_reaches_one_node() -> None:
    with nodes(make, "a", "b", "c") as (runtimes, _):
        endpoints = {name: runtime.endpoint for name, runtime in runtimes.items()}
        wires: dict[str, Wire] = {}
        a = endpoints["a"]
        async with (
            connected(a) as wires["a"],
            connected(endpoints["b"]) as wires["b"],
            connected(endpoints["c"]) as wires["c"],
            endpoints["b"].pubsub.subscribe("jobs") as jobs,
        ):
            for wire in wires.values():
                await wire.join("hall:x")
            for node in "abc":
                await a.direct_broadcast(node, "hall:x", "to", {"node": node})
                assert (await wires[node].receive())[3:] == ["to", {"node": node}]
            await a.pubsub.direct_broadcast("b", "jobs", ["work"])
            assert await jobs.receive() == ["work"]
            assert all(wire.messages.empty() for wire in wires.values())
            assert (a.node_name, a.nodes()) == ("a", ["b", "c"])


async def test_a_direct_broadcast_says_to_whom_it_cannot_go() -> None:
    with nodes(make, "a", "b") as (runtimes, _):
        endpoint = runtimes["a"].endpoint
        for node in ("c", ""):
            with pytest.raises(UnknownNode):
                await endpoint.direct_broadcast(node, "hall:x", "to", {})
            with pytest.raises(UnknownNode):
                await endpoint.pubsub.direct_broadcast(node, "hall:x", "to")
        with pytest.raises(ValueError, match="Roost's own"):
            await endpoint.direct_broadcast("b", "\0worker:0", "to", {})


async def test_a_local_broadcast_reaches_the_node() -> None:
    with nodes(make, "a") as (runtimes, _):
        endpoint = runtimes["a"].endpoint
        async with connected(endpoint) as wire, endpoint.pubsub.subscribe("hall:x") as jobs:
            await wire.join("hall:x")
            await endpoint.local_broadcast("hall:x", "to", {"n": 1})
            await endpoint.pubsub.local_broadcast("hall:x", "plain")
            await endpoint.pubsub.local_broadcast_from(jobs, "hall:x", "to others")
            said: list[Any] = [(await wire.receive())[3:] for _ in range(3)]
            assert said == [["to", {"n": 1}], ["info", {"message": "plain"}], ["info", {"message": "to others"}]]
            heard: list[Any] = [await jobs.receive() for _ in range(2)]
            assert heard[1] == "plain"
            assert not jobs._messages
