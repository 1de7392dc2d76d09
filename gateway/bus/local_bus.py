"""A bus within one process, without shards: what is published goes to the process's own subscribers and nowhere else.

It keeps the promises of the other one: every subscriber that stands gets each publish once and in order, in the turn
after the one in which it was published.
"""

import asyncio
import sys
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from roost.gateway.annotations import check_annotations
from roost.gateway.bus.handover import hand_over
from roost.gateway.bus.local_broadcast import broadcast_locally
from roost.gateway.bus.local_topics import LocalTopics
from roost.gateway.clients.runtime import Runtime
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Reach
from roost.shared.peer.audience import Subscription
from roost.shared.peer.publish_log import PUBLISH_WINDOW

if TYPE_CHECKING:
    from roost.gateway.endpoint import Endpoint
    from roost.shared.bus import Form, Lane
    from roost.shared.peer.shard_link import Frames, Letters

PUBLISH_BYTES: Final = 64
"""What a publish takes beside its payload, about."""


def local_runtime(endpoint: "Endpoint", secrets: tuple[str, ...] = ()) -> Runtime:
    """Have the running loop serve an endpoint by itself: its channels and its PubSub work, and no node is needed."""
    loop = asyncio.get_running_loop()
    turn = Turn(loop)
    runtime = Runtime(0, endpoint, loop, turn, LocalBus(0, turn, loop))
    check_annotations(endpoint)
    endpoint.serve(runtime, secrets)
    runtime.calls.listen()
    return runtime


class _Publish(NamedTuple):
    number: int
    topic: str
    form: "Form"
    event: str
    payload: bytes
    sender: int


class LocalBus:
    """Topics of one process."""

    def __init__(self, worker: int, turn: Turn, loop: asyncio.AbstractEventLoop) -> None:
        self.max_payload = sys.maxsize
        self.local_topics = LocalTopics()
        self.local_topics.keep([""])
        self.subscriptions: dict[int, Subscription] = {}
        self._worker = worker
        self._turn = turn
        self._loop = loop
        self._numbers = count(1)
        self._published = 0
        self._handed = 0
        """The number of the last publish that was handed over."""
        self._due: list[Subscription | _Publish] = []
        """What this turn has brought, in order."""
        self._due_bytes = 0
        self._departed: list[Subscription] = []
        self._holders: deque[tuple[int, Any]] = deque()
        self._next_turn: list[asyncio.Future[None]] = []
        turn.at_end = self._end_turn

    @property
    def ticked(self) -> float:
        return self._loop.time()

    # For channels and mailboxes

    def subscribe(
        self, client_hash: int, topic: str, lane: "Lane", intercepts: tuple[str, ...], outlet: Any, inbox: Any
    ) -> Subscription:
        number = next(self._numbers)
        subscription = Subscription(number, client_hash, topic, lane, intercepts, outlet, inbox, self.ticked)
        self.subscriptions[number] = subscription
        self.local_topics.add(subscription)
        self._due.append(subscription)
        self._turn.wake()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        if self.subscriptions.pop(subscription.number, None) is not None:
            self.local_topics.discard(subscription)
            self._departed.append(subscription)
            self._turn.wake()

    def subscriber(self, number: int) -> Any:
        subscription = self.subscriptions.get(number)
        return subscription.inbox if subscription is not None else None

    def publish_now(
        self,
        topic: str,
        form: "Form",
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,  # noqa: ARG002 - the process is all there is
    ) -> int:
        """Without credit, which means that a whole window is due in this turn already, the answer is 0."""
        if self._due_bytes > PUBLISH_WINDOW:
            return 0
        self._published += 1
        self._due.append(_Publish(self._published, topic, form, event, payload, sender))
        self._due_bytes += len(payload) + PUBLISH_BYTES
        self._turn.wake()
        return self._published

    async def publish(
        self,
        topic: str,
        form: "Form",
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
    ) -> int:
        while not (number := self.publish_now(topic, form, event, payload, sender, reach)):
            turned: asyncio.Future[None] = self._loop.create_future()
            self._next_turn.append(turned)
            await turned
        return number

    def hand_over(self, handovers: "list[Frames | Letters]", event: str) -> None:  # noqa: ARG002 - frames have it
        self._departed.clear()
        hand_over([*handovers], self._turn, self._departed)

    def echoed(self, client_hash: int, number: int) -> bool:  # noqa: ARG002 - all clients are served at once
        return number <= self._handed

    def hold(self, client_hash: int, number: int, holder: Any) -> None:  # noqa: ARG002
        self._holders.append((number, holder))

    def drained(self) -> bool:
        return not self._due

    # The node is this process

    def node_id(self) -> str:
        return "local"

    def live_workers(self) -> set[int]:
        return {self._worker}

    def worker_lives(self, worker: int) -> bool:
        return worker == self._worker

    # The turn

    def _end_turn(self) -> None:
        """Carry out what the turn has brought. What that brings about in its turn is for the next one."""
        due, self._due, self._due_bytes = self._due, [], 0
        for one in due:
            if isinstance(one, Subscription):
                self._confirm(one)
            else:
                self._deliver(one)
        self._departed.clear()
        waiting, self._next_turn = self._next_turn, []
        for turned in waiting:
            if not turned.done():
                turned.set_result(None)

    def _confirm(self, subscription: Subscription) -> None:
        if subscription.number in self.subscriptions:
            subscription.standing = True
            subscription.inbox.confirmed(subscription)

    def _deliver(self, publish: _Publish) -> None:
        number, topic, form, event, payload, sender = publish
        receivers = [one for one in self.local_topics.subscribers(topic) if one.number != sender]
        self.hand_over(broadcast_locally(topic, event, payload, receivers, form), event)
        self._handed = number
        while self._holders and self._holders[0][0] <= number:
            self._holders.popleft()[1].released()
