"""Asks all processes of a node what they measure. Who does not answer in time is named and holds nobody up."""

import asyncio
from typing import Final, TypeVar

from roost.shared.control import AskMeasurements
from roost.shared.link import Link, LinkClosed
from roost.shared.measurements import BrokerMeasurements, NodeMeasurements, WorkerMeasurements
from roost.shared.supervisor import Supervisor
from roost.shared.usage import own_usage
from roost.shared.version import VERSION

T = TypeVar("T")
WORKER_LIMIT: Final = 0.5
"""Seconds that a worker has to answer."""
BROKER_LIMIT: Final = 0.8
"""Seconds that the broker has: it asks its shards meanwhile, and gives them 0.5."""


async def measure_node(workers: Supervisor, broker: Link | None, *, uptime: float, ready: bool) -> NodeMeasurements:
    """What the gateway's workers and the broker measure."""
    children = list(workers.children.values())
    asked_broker, *answers = await asyncio.gather(
        _ask(broker, BrokerMeasurements, BROKER_LIMIT),
        *(_ask(child.link, WorkerMeasurements, WORKER_LIMIT) for child in children),
    )
    named = list(zip((child.name for child in children), answers, strict=True))
    return NodeMeasurements(
        version=VERSION,
        usage=own_usage(),
        uptime=uptime,
        ready=ready,
        workers={name: answer for name, answer in named if isinstance(answer, WorkerMeasurements)},
        silent=(
            *(name for name, answer in named if answer is None),
            *(() if asked_broker is not None else ("broker",)),
        ),
        restarts=workers.restarts,
        broker=asked_broker if isinstance(asked_broker, BrokerMeasurements) else None,
    )


async def _ask(link: Link | None, answer: type[T], limit: float) -> T | None:
    if link is None:
        return None
    try:
        return await link.ask(AskMeasurements(), answer, limit)
    except (LinkClosed, TimeoutError):
        return None
