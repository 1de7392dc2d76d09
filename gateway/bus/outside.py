"""Publishing from outside of the workers: the gateway has one of them do it, once for each key."""

import asyncio
import hashlib
from typing import Final

import msgspec

from roost.gateway.bus.repeats import Repeats
from roost.gateway.inspection.gateway_inspection import first_that_works, silence
from roost.shared.acting import MAX_OUTSIDE_EVENTS, Broadcasted, BroadcastEvents
from roost.shared.control import StartWorker
from roost.shared.link import LinkClosed, Refused
from roost.shared.supervisor import Child, Supervisor

PUBLISH_LIMIT: Final = 1.5
"""Seconds in which a worker takes what it is to publish; with full windows it waits for credit."""


class MayBeLost(Refused):
    """The worker has gone, or is silent: whether it had published is not known."""


class KeyTaken(Refused):
    """The key stands for another request, or for one that is being carried out."""


class OutsidePublishing:
    """What is published for others, of one gateway."""

    def __init__(self, workers: Supervisor) -> None:
        self._workers = workers
        self._repeats: Repeats[Broadcasted] = Repeats()

    async def publish(self, question: BroadcastEvents) -> Broadcasted:
        """Have it published. Raises Refused."""
        if len(question.events) > MAX_OUTSIDE_EVENTS:
            raise Refused(f"{len(question.events)} events at once; {MAX_OUTSIDE_EVENTS} are allowed")
        if not question.key:
            return await self._publish(question)
        now = asyncio.get_running_loop().time()
        content = hashlib.sha256(msgspec.msgpack.encode(question.events)).digest()
        match self._repeats.begin(question.key, content, now):
            case str(why):
                raise KeyTaken(why)
            case Broadcasted(worker, publish):
                return Broadcasted(worker, publish, repeated=True)
        try:
            answer = await self._publish(question)
        except MayBeLost:
            self._repeats.lose(question.key)
            raise
        except Refused:
            self._repeats.forget(question.key)
            raise
        self._repeats.done(question.key, answer)
        return answer

    async def _publish(self, question: BroadcastEvents) -> Broadcasted:
        """One worker publishes it, one that works: to ask a second after the first may have it published twice."""
        worker = self._named(question.worker) or await first_that_works(self._workers)
        try:
            return await worker.link.ask(question, Broadcasted, PUBLISH_LIMIT)
        except (LinkClosed, TimeoutError):
            raise MayBeLost(f"{silence(worker)}: it may have been broadcast or not") from None

    def _named(self, number: int | None) -> Child | None:
        """The worker of that number, if it serves."""
        for child in self._workers.children.values():
            if isinstance(child.start, StartWorker) and child.start.number == number and child.ready.is_set():
                return child
        return None
