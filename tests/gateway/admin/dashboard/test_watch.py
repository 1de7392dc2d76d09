"""The node is looked at while somebody watches, once for all, and else not at all."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from roost.gateway.admin.dashboard.watch import PERIOD, RESHARDING_PERIOD, TOPIC, Watch
from roost.gateway.admin.own_node import OwnNode
from roost.gateway.bus.local_bus import local_runtime
from roost.gateway.endpoint import Endpoint
from roost.shared.control import Message
from roost.shared.inspection import NodeTree
from roost.shared.link import Refused
from roost.shared.measurements import NodeMeasurements
from roost.shared.resharding import ReshardingPhase, ReshardingStatus
from roost.shared.supervisor import Supervisor
from roost.testing.frozen_clock import FrozenClock
from tests.gateway.admin.node import NODE


class CountedNode(OwnNode):
    """A gateway without workers that counts how often it is asked."""

    def __init__(self) -> None:
        workers = Supervisor("nothing", _nobody, _nobody, _nobody, stall_limit=10.0)
        super().__init__(workers, "app", lambda: None, lambda: "there is no broker")
        self.looks = 0
        self.trees = 0
        self.phases = [ReshardingPhase.PREPARING, ReshardingPhase.CHANGING_OVER, ReshardingPhase.DONE]
        self.fails = False

    async def measure(self) -> NodeMeasurements:
        self.looks += 1
        if self.fails:
            raise RuntimeError("asked to fail")
        return NODE

    async def tree(self) -> NodeTree:
        self.trees += 1
        return await super().tree()

    async def ask_broker(self, question: Message, answer: type[Any]) -> Any:
        if answer is not ReshardingStatus or not self.phases:
            raise Refused("there is no broker")
        return ReshardingStatus(1, 2, 3, self.phases.pop(0))


def _nobody(*_: object) -> Any:
    raise AssertionError("there are no children")


@contextmanager
def watched() -> Iterator[tuple[CountedNode, Watch, Endpoint, FrozenClock]]:
    """A watch whose time the test moves."""
    node, endpoint = CountedNode(), Endpoint()
    runtime = local_runtime(endpoint)
    clock = FrozenClock(asyncio.get_running_loop())
    try:
        yield node, Watch(node, endpoint), endpoint, clock
    finally:
        clock.thaw()
        runtime.runner.close()


async def next_of(mailbox: Any, event: str) -> Any:
    while (message := await mailbox.receive()).event != event:
        pass
    return message.payload


async def test_two_who_watch_cost_one_look_and_nobody_none() -> None:
    with watched() as (node, watch, endpoint, clock):
        async with endpoint.pubsub.subscribe(TOPIC) as told:
            watch.enter()
            watch.enter()
            seen = await next_of(told, "measured")
            assert (node.looks, seen["connections"], seen["why_not_ready"]) == (1, 3, "there is no broker")
            tree = await next_of(told, "tree")
            assert (node.trees, tree["silent"], tree["gateway"]["workers"]) == (1, ["broker"], [])
            watch.leave()
            await clock.advance(PERIOD)
            await next_of(told, "measured")
            assert {"measured", "tree", "slowest"} <= watch.last.keys()
            watch.leave()
            assert not watch.last
            looks = node.looks
            assert not watch._tasks
            await clock.advance(PERIOD)
            watch.enter()
            await next_of(told, "measured")
            assert node.looks == looks + 1 == len(watch.points)
            watch.leave()


async def test_a_change_of_the_number_of_shards_is_followed_to_its_end() -> None:
    with watched() as (_, watch, endpoint, clock):
        async with endpoint.pubsub.subscribe(TOPIC) as told:
            watch.enter()
            watch.follow_resharding()
            watch.follow_resharding()
            await clock.advance(3 * RESHARDING_PERIOD)
            phases = [(await next_of(told, "resharding"))["phase"] for _ in range(3)]
            assert phases == ["preparing", "changing over", "done"]
            watch.follow_resharding()  # without a broker it ends at once
            await clock.advance(PERIOD)
            await next_of(told, "measured")
            watch.leave()


async def test_what_fails_is_logged_and_begins_anew_with_the_next(caplog: pytest.LogCaptureFixture) -> None:
    with watched() as (node, watch, endpoint, clock):
        async with endpoint.pubsub.subscribe(TOPIC) as told:
            node.fails = True
            watch.enter()
            await clock.settle()
            assert "asked to fail" in caplog.text
            node.fails = False
            watch.enter()
            await next_of(told, "measured")
            watch.leave()
            watch.leave()
        assert len(caplog.records) == 1
