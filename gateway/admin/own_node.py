"""The node as its gateway sees it: the workers are asked directly, the broker over the gateway's link to it.

So whoever looks is answered as long as the gateway lives, whatever has become of the rest.
"""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from roost.gateway.admin.collection import measure_node
from roost.gateway.inspection.gateway_inspection import inspect
from roost.shared.control import Message
from roost.shared.inspection import AskTree, NodeTree, WorkerQuestion
from roost.shared.link import Link, LinkClosed, Refused
from roost.shared.measurements import NodeMeasurements
from roost.shared.supervisor import Supervisor

BROKER_LIMIT: Final = 3.0
"""Seconds in which the broker answers, with those named that did not answer it."""

T = TypeVar("T")


class OwnNode:
    """What may be asked of the node."""

    def __init__(
        self, workers: Supervisor, app: str, broker: Callable[[], Link | None], why_not_ready: Callable[[], str]
    ) -> None:
        self._workers = workers
        self._app = app
        self._broker = broker
        self.why_not_ready = why_not_ready
        """Why no clients are taken; an empty sentence if they are."""
        self._started = time.monotonic()

    async def measure(self) -> NodeMeasurements:
        """What all processes measure, with whoever did not answer in time."""
        uptime = time.monotonic() - self._started
        return await measure_node(self._workers, self._broker(), uptime=uptime, ready=not self.why_not_ready())

    async def ask(self, question: WorkerQuestion) -> Any:
        """The answer of the workers together. Raises Refused."""
        return await inspect(self._workers, self._app, question)

    async def ask_broker(self, question: Message, answer: type[T]) -> T:
        """The broker's answer. Raises Refused, in its words or because there is none."""
        link = self._broker()
        if link is None:
            raise Refused("there is no broker")
        try:
            return await link.ask(question, answer, BROKER_LIMIT)
        except LinkClosed:
            raise Refused("the broker ended before it answered") from None
        except TimeoutError:
            raise Refused(f"the broker did not answer within {BROKER_LIMIT:g} s") from None

    async def tree(self) -> NodeTree:
        """The supervision tree; without a broker that of the gateway alone."""
        try:
            return await self.ask_broker(AskTree(), NodeTree)
        except Refused:
            return NodeTree(0, (), await self.ask(AskTree()), ("broker",))
