"""`roost top`: looks at a node again and again, on a screen or as lines of JSON."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from rich.live import Live
from rich.text import Text

from roost.commands.activity import Activity, Look, compare
from roost.commands.node import Node, Where, connected_node
from roost.commands.show_top import print_activity, screen
from roost.commands.terminal import console, print_json
from roost.keys import pressed
from roost.shared.control import AskMeasurements, AskNodeMeasurements
from roost.shared.failures import CannotStart
from roost.shared.hottest import AskHottestTopics, HottestTopics
from roost.shared.inspection import AskSlowestClients, SlowestClients
from roost.shared.measurements import BrokerMeasurements, NodeMeasurements

QUIT: Final = "q"

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """How often to look, and at how much."""

    interval: float
    """Seconds from one look to the next."""
    count: int | None
    """Looks that are told; None for ever."""
    limit: int
    """Topics and clients of each look."""


def print_top(where: Where, plan: Plan, *, json: bool, lines: bool) -> None:
    """Print so many looks; as JSON one a line, if there may be several. Raises CannotStart."""
    asyncio.run(_print(where, plan, json=json, lines=lines))


def show_top(where: Where, plan: Plan) -> None:
    """Fill the terminal until `q` is pressed, whatever happens to the node meanwhile. Raises CannotStart at first."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_show(where, plan))


async def _print(where: Where, plan: Plan, *, json: bool, lines: bool) -> None:
    async with connected_node(where) as node:
        told = 0
        async for activity in _activities(node, plan):
            if not activity.seconds:
                continue
            if json and lines:
                sys.stdout.buffer.write(msgspec.json.encode(activity) + b"\n")
                sys.stdout.buffer.flush()
            else:
                print_json(activity) if json else print_activity(activity)
            told += 1
            if told == plan.count:
                return


async def _show(where: Where, plan: Plan) -> None:
    async with connected_node(where):
        pass  # a node that does not run is said before the screen is taken
    with Live(Text("looking"), console=console(), screen=True, auto_refresh=False) as live, pressed(QUIT) as quit_:
        tasks = [asyncio.ensure_future(_keep_showing(where, plan, live)), asyncio.ensure_future(quit_.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _keep_showing(where: Where, plan: Plan, live: Live) -> None:
    """A node that stops is waited for: it may come again."""
    told = 0
    while True:
        try:
            async with connected_node(where) as node:
                async for activity in _activities(node, plan):
                    live.update(screen(activity, live.console.width, live.console.height), refresh=True)
                    told += bool(activity.seconds)
                    if told == plan.count:
                        return
        except CannotStart as error:
            live.update(Text(f"{error}; still looking, {QUIT} ends", style="red"), refresh=True)
            await asyncio.sleep(plan.interval)


async def _activities(node: Node, plan: Plan) -> AsyncIterator[Activity]:
    """How the node is, then what it did in each interval. Raises CannotStart."""
    before: Look | None = None
    while True:
        after = await _look(node, plan.limit)
        yield compare(before, after, time.time())
        before = after
        await asyncio.sleep(max(0.0, after.time + plan.interval - time.monotonic()))


async def _look(node: Node, limit: int) -> Look:
    """Everything at once. Raises CannotStart when the broker is gone."""
    began = time.monotonic()
    (measured, troubles), topics, (clients, _) = await asyncio.gather(
        _of_gateway(node.ask(AskNodeMeasurements(), NodeMeasurements)),
        node.ask(AskHottestTopics(limit), HottestTopics),
        _of_gateway(node.ask(AskSlowestClients(limit), SlowestClients)),
    )
    broker = measured.broker if measured is not None else await node.ask(AskMeasurements(), BrokerMeasurements)
    return Look(began, measured, broker, topics, clients or SlowestClients(0, 0, ()), troubles)


async def _of_gateway(answer: Awaitable[T]) -> tuple[T | None, tuple[str, ...]]:
    """What the gateway answers; without one that does, why."""
    try:
        return await answer, ()
    except CannotStart as error:
        return None, (str(error),)
