"""`roost status`: looks at a node twice, so that what it does in a second can be told."""

import asyncio
import time

from roost.commands.load import Load, Look, compare, pids, used_elsewhere
from roost.commands.machine import cores
from roost.commands.node import Node, Where, connected_node
from roost.commands.processes import used_by
from roost.shared.control import AskNodeMeasurements, AskStatus, NodeStatus
from roost.shared.failures import CannotStart
from roost.shared.measurements import NodeMeasurements, Usage


def look_twice(where: Where, over: float) -> tuple[NodeStatus, Load]:
    """The node as it is now, and what it did in the last `over` seconds; with 0 it is looked at once.

    Raises CannotStart.
    """
    return asyncio.run(_look_twice(where, over))


async def _look_twice(where: Where, over: float) -> tuple[NodeStatus, Load]:
    async with connected_node(where) as node:
        machine = cores() if node.is_here else None
        first = await _look(node)
        if not over:
            return first.status, compare(first, first, machine)
        await asyncio.sleep(over)
        second = await _look(node)
    return second.status, compare(first, second, machine)


async def _look(node: Node) -> Look:
    status = await node.ask(AskStatus(), NodeStatus)
    return Look(
        time.monotonic(), status, used_by(pids(status)) if node.is_here else await _used_elsewhere(node, status)
    )


async def _used_elsewhere(node: Node, status: NodeStatus) -> dict[int, Usage]:
    """As its own processes measure it: what another machine's kernel knows nobody here can ask."""
    try:
        return used_elsewhere(status, await node.ask(AskNodeMeasurements(), NodeMeasurements))
    except CannotStart:
        return {}
