"""Asks all processes of a node what they measure. Who does not answer in time is named and holds nobody up."""

import asyncio
from typing import Final

from roost.shared.control import AskMeasurements
from roost.shared.link import Link, LinkClosed
from roost.shared.measurements import BrokerMeasurements, NodeMeasurements, WorkerMeasurements
from roost.shared.supervisor import Supervisor
from roost.shared.usage import own_usage
from roost.shared.version import VERSION

WORKER_LIMIT: Final = 0.5
"""Seconds that a worker has to answer."""
BROKER_LIMIT: Final = 0.8
"""Seconds that the broker has: it asks its shards meanwhile, and gives them 0.5."""


async def measure_node(workers: Supervisor, broker: Link | None, *, uptime: float, ready: bool) -> NodeMeasurements:
    """What the gateway's workers and the broker measure."""
    answers, of_broker = await asyncio.gather(
        workers.ask_each(AskMeasurements(), WorkerMeasurements, WORKER_LIMIT), _ask_broker(broker)
    )
    silent = [child.name for child, answer in answers if answer is None]
    return NodeMeasurements(
        version=VERSION,
        usage=own_usage(),
        uptime=uptime,
        ready=ready,
        workers={child.name: answer for child, answer in answers if answer is not None},
        silent=tuple(silent if of_broker is not None else [*silent, "broker"]),
        restarts=workers.restarts,
        broker=of_broker,
    )


async def _ask_broker(broker: Link | None) -> BrokerMeasurements | None:
    if broker is None:
        return None
    try:
        return await broker.ask(AskMeasurements(), BrokerMeasurements, BROKER_LIMIT)
    except (LinkClosed, TimeoutError):
        return None
