"""What the gateway answers to those who look into the node: it asks its workers, and puts their answers together."""

import asyncio
import os
from typing import Any, Final, TypeVar

from roost.shared.acting import Disconnected, DisconnectSockets
from roost.shared.control import AskStatus, Ping, WorkerStatus
from roost.shared.inspection import (
    AskClient,
    AskPresences,
    AskRoutes,
    AskSlowestClients,
    AskSockets,
    AskSubscribers,
    AskTree,
    ClientSockets,
    GatewayTree,
    Presences,
    ProcessBranch,
    Routes,
    SlowestClients,
    Sockets,
    Subscribers,
    WorkerQuestion,
    WorkerTree,
)
from roost.shared.link import LinkClosed, Refused
from roost.shared.supervisor import Child, Supervisor

T = TypeVar("T")

ANSWER_LIMIT: Final = 1.0
"""Seconds after which a worker that has not answered a question is named as silent."""


async def inspect(workers: Supervisor, app: str, question: WorkerQuestion) -> Any:
    """The answer of all workers together. Raises Refused."""
    match question:
        case AskSubscribers():
            return await _subscribers(workers, question)
        case AskSockets():
            return await _sockets(workers, question)
        case AskClient():
            return await _client(workers, question)
        case AskSlowestClients():
            return await _slowest(workers, question)
        case AskPresences():
            return await _ask(await first_that_works(workers), question, Presences)
        case AskRoutes():
            return await _routes(workers)
        case AskTree():
            return await _tree(workers, app)
        case DisconnectSockets():
            answers, silent = await workers.ask_all(question, Disconnected, ANSWER_LIMIT)
            return Disconnected(tuple(name for answer in answers for name in answer.sockets), tuple(silent))


async def _subscribers(workers: Supervisor, question: AskSubscribers) -> Subscribers:
    answers, silent = await workers.ask_all(question, Subscribers, ANSWER_LIMIT)
    rows = sorted(
        (row for answer in answers for row in answer.subscribers),
        key=lambda row: (row.slot, row.worker, row.subscriber),
    )
    return Subscribers(sum(answer.total for answer in answers), tuple(rows[: question.limit]), tuple(silent))


async def _sockets(workers: Supervisor, question: AskSockets) -> Sockets:
    answers, silent = await workers.ask_all(question, Sockets, ANSWER_LIMIT)
    return Sockets(
        sum(answer.total for answer in answers),
        tuple(socket for answer in answers for socket in answer.sockets),
        tuple(socket for answer in answers for socket in answer.gone),
        tuple(silent),
    )


async def _client(workers: Supervisor, question: AskClient) -> ClientSockets:
    answers, silent = await workers.ask_all(question, ClientSockets, ANSWER_LIMIT)
    rows = sorted((row for answer in answers for row in answer.sockets), key=lambda row: row.since)
    return ClientSockets(sum(answer.total for answer in answers), tuple(rows[: question.limit]), tuple(silent))


async def _slowest(workers: Supervisor, question: AskSlowestClients) -> SlowestClients:
    answers, silent = await workers.ask_all(question, SlowestClients, ANSWER_LIMIT)
    rows = sorted((row for answer in answers for row in answer.clients), key=lambda row: -row.waiting)
    return SlowestClients(
        sum(answer.total for answer in answers),
        sum(answer.waiting for answer in answers),
        tuple(rows[: question.limit]),
        tuple(silent),
    )


async def _routes(workers: Supervisor) -> Routes:
    """All workers serve the same: one answer is enough."""
    worker = await first_that_works(workers)
    return await _ask(worker, AskRoutes(), Routes)


async def _tree(workers: Supervisor, app: str) -> GatewayTree:
    trees, statuses = await asyncio.gather(
        workers.ask_each(AskTree(), WorkerTree, ANSWER_LIMIT), workers.ask_each(AskStatus(), WorkerStatus, ANSWER_LIMIT)
    )
    states = {child.name: status for child, status in statuses}
    branches = [
        ProcessBranch(
            child.name,
            child.pid,
            workers.restarts_of[child.name],
            tree is not None,
            _state(states.get(child.name)),
            tree,
        )
        for child, tree in trees
    ]
    return GatewayTree(os.getpid(), app, tuple(sorted(branches, key=lambda branch: (len(branch.name), branch.name))))


def _state(status: WorkerStatus | None) -> str:
    if status is None:
        return ""
    if status.draining or status.drained:
        return "draining" if status.connections else "drained"
    return "serving" if status.serving else "not serving yet"


async def first_that_works(workers: Supervisor) -> Child:
    """The first worker that answers. Raises Refused."""
    asking = {
        asyncio.ensure_future(child.link.ask(Ping(), bool, ANSWER_LIMIT)): child for child in workers.children.values()
    }
    waiting = set(asking)
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for answer in done:
                if answer.exception() is None and asking[answer].ready.is_set():
                    return asking[answer]
    finally:
        for answer in waiting:
            answer.cancel()
    raise Refused("no worker answers" if asking else "there is no worker")


async def _ask(worker: Child, question: AskRoutes | AskPresences, answer: type[T]) -> T:
    try:
        return await worker.link.ask(question, answer, ANSWER_LIMIT)
    except (LinkClosed, TimeoutError):
        raise Refused(silence(worker)) from None


def silence(worker: Child) -> str:
    """What is said of a worker that does not answer."""
    return f"{worker.name} (pid {worker.pid}) did not answer"
