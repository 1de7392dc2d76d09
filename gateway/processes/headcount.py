"""How many clients are connected to workers, asked of the workers themselves."""

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from roost.shared.control import AskStatus, WorkerStatus
from roost.shared.link import LinkClosed
from roost.shared.supervisor import Child

ANSWER_LIMIT: Final = 0.2
"""Seconds after which a worker that has not answered is not counted."""


class Headcount(NamedTuple):
    """Clients, and whether every worker has answered."""

    clients: int
    complete: bool


async def count_clients(workers: Iterable[Child]) -> Headcount:
    """Count the clients of these workers."""
    answers = await asyncio.gather(
        *(worker.link.ask(AskStatus(), WorkerStatus, ANSWER_LIMIT) for worker in workers), return_exceptions=True
    )
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, LinkClosed | TimeoutError):
            raise answer
    counted = [answer.connections for answer in answers if isinstance(answer, WorkerStatus)]
    return Headcount(sum(counted), len(counted) == len(answers))
