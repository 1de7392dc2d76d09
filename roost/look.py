"""`roost status`: looks at a node twice, so that what it does in a second can be told."""

import asyncio
import time

from roost.load import Load, Look, compare, pids
from roost.node import Node, connected_node
from roost.processes import cores, used_by
from roost.shared.control import AskStatus, NodeStatus


def look_twice(run_dir: str, over: float) -> tuple[NodeStatus, Load]:
    """The node as it is now, and what it did in the last `over` seconds; with 0 it is looked at once.

    Raises CannotStart.
    """
    return asyncio.run(_look_twice(run_dir, over))


async def _look_twice(run_dir: str, over: float) -> tuple[NodeStatus, Load]:
    async with connected_node(run_dir) as node:
        first = await _look(node)
        if not over:
            return first.status, compare(first, first, cores())
        await asyncio.sleep(over)
        second = await _look(node)
    return second.status, compare(first, second, cores())


async def _look(node: Node) -> Look:
    status = await node.ask(AskStatus(), NodeStatus)
    return Look(time.monotonic(), status, used_by(pids(status)))
