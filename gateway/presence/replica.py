"""One presence in one worker: its tracker on the bus and on the clock. No decisions here."""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.presence.clock import Clock
from roost.gateway.presence.diffs import Diffs
from roost.gateway.presence.gossip import (
    BadGossip,
    Heartbeat,
    Outgoing,
    decode_gossip,
    encode_gossip,
    topic_of_all,
    topic_of_one,
)
from roost.gateway.presence.owners import Owners
from roost.gateway.presence.tracker import BEAT, Tracker
from roost.shared.bus import BadParcel, Form, Lane, Reach, decode_letter
from roost.shared.phash2 import hash32

if TYPE_CHECKING:
    from roost.gateway.channel import Channel
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.presence.presence import Presence
    from roost.shared.peer.audience import Subscription

GREETING: Final = 0.05
"""Seconds that a new replica waits for further answers to its greeting before it asks the best of them."""
SYNC_LIMIT: Final = 1.0
"""Seconds in which a new worker learns who is there before it serves; with less it serves all the same."""

_log = logging.getLogger("roost.presence")


class Replica:
    """What a worker knows about one presence, and how it comes to know it."""

    def __init__(self, presence: "Presence", runtime: "Runtime") -> None:
        self._runtime = runtime
        self._name = presence.name
        self._node = runtime.uplink.node_id()
        self.tracker = Tracker(f"{self._node}:{runtime.worker}", presence.limits)
        self.owners = Owners(self._owner_ended)
        self.diffs = Diffs(presence, self.tracker.presences, runtime)
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Outgoing] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._told_at = -presence.limits.window
        self._telling: asyncio.Handle | None = None
        self._asking: asyncio.Handle | None = None
        self._updating: asyncio.Handle | None = None
        self._beating: asyncio.Handle | None = None
        self._unconfirmed = 2
        self._subscriptions: dict[str, Subscription] = {}
        self._complete = asyncio.Event()

    async def start(self) -> None:
        """Begin; returns when it knows who is there, or when it has tried for long enough."""
        uplink = self._runtime.uplink
        client_hash = hash32(self._runtime.worker << 32)
        for topic in (topic_of_all(self._name), topic_of_one(self._name, self.tracker.replica)):
            self._subscriptions[topic] = uplink.subscribe(client_hash, topic, Lane.LETTER, (), None, self)
        self._beating = self._loop.call_later(BEAT, self._beat)
        try:
            async with asyncio.timeout(SYNC_LIMIT):
                await self._complete.wait()
        except TimeoutError:
            _log.info("%s: not every worker has told yet who is present with it", self._name)

    def leave(self) -> None:
        """The worker goes: nobody need find out by himself."""
        self.tracker.leave()
        self.changed()

    async def close(self) -> None:
        """Stop all clocks and tasks."""
        for handle in (self._telling, self._asking, self._updating, self._beating):
            if handle is not None:
                handle.cancel()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        await self.diffs.close()

    def changed(self) -> None:
        """The tracker was told something: carry out what follows from it."""
        tracker = self.tracker
        self.diffs.add(tracker.take_changes())
        self._queue.extend(tracker.take_outgoing())
        if tracker.wants_to_tell() and self._telling is None and self._sending is None:
            due = self._told_at + tracker.limits.window
            self._telling = self._loop.call_at(max(due, self._loop.time()), self._tell)
        if tracker.has_news and self._asking is None:
            self._asking = self._loop.call_later(GREETING, self._ask)
        if (due_update := tracker.due()) is not None and self._updating is None:
            self._updating = self._loop.call_at(due_update, self._update)
        self._send()
        if not self._complete.is_set() and self._knows_all():
            self._complete.set()

    def now(self) -> float:
        """Seconds on the clock of updates."""
        return self._loop.time()

    def showed(self, channel: "Channel[Any]", number: int) -> None:
        """A channel's client was sent a state that shows all changes up to a number."""
        subscription = self._runtime.uplink.subscriptions.get(channel.subscriber)
        if subscription is not None:
            self.diffs.showed(subscription, number)

    def look_for_dead(self) -> None:
        """Workers of this node that do not live any more have nobody present."""
        for name in self.tracker.replicas.names():
            if self._is_dead(name):
                self.tracker.died(name)
                self._report_death(name)
        self.changed()

    # The other nodes

    def node_up(self, node_id: str) -> None:
        """A node is there: its replicas that live are to say so."""
        for name in self._of_node(node_id):
            self.tracker.look_for(name)
        self.changed()

    def node_down(self, node_id: str) -> None:
        """A node has gone, and nobody is present there as far as this one can see."""
        for name in self._of_node(node_id):
            self.tracker.lost(name)
        self.changed()

    def _of_node(self, node_id: str) -> list[str]:
        return [name for name in self.tracker.replicas.names() if _node_of(name) == node_id]

    # Told by the uplink

    def confirmed(self, _: "Subscription") -> None:
        self._unconfirmed -= 1
        if not self._unconfirmed:
            self.tracker.greet()
            self.changed()

    def letter(self, _: str, letter: bytes) -> None:
        try:
            message = decode_gossip(decode_letter(letter).payload)
        except (BadGossip, BadParcel) as error:
            _log.error("%s: what another worker said cannot be read: %s", self._name, error)
            return
        # What a dead worker had said may still arrive, and must not bring it back.
        if not self._is_dead(message.sender):
            self.tracker.received(message, watched=self._is_here(message.sender))
            if isinstance(message, Heartbeat) and not self._is_here(message.sender):
                self._correct(message.clock)
            self.changed()

    # Workers of this node: the kernel knows whether they live

    def _is_here(self, replica: str) -> bool:
        return _node_of(replica) == self._node

    def _correct(self, clock: Clock) -> None:
        """Another node may count on a worker of this one that died when no other was there to tell."""
        for name in clock:
            if name not in self.tracker.replicas and name != self.tracker.replica and self._is_dead(name):
                self._report_death(name)

    def _report_death(self, name: str) -> None:
        if self._runtime.nodes.others():
            self.tracker.report_death(name)

    def _is_dead(self, replica: str) -> bool:
        worker = replica.rpartition(":")[2]
        return self._is_here(replica) and not (worker.isdecimal() and self._runtime.uplink.worker_lives(int(worker)))

    def _knows_all(self) -> bool:
        workers = self._runtime.uplink.live_workers() - {self._runtime.worker}
        heard = all(f"{self._node}:{worker}" in self.tracker.replicas for worker in workers)
        return heard and not self._unconfirmed and not self.tracker.lacks()

    # The clock

    def _beat(self) -> None:
        self._beating = self._loop.call_later(BEAT, self._beat)
        self.tracker.beat()
        self.look_for_dead()

    def _tell(self) -> None:
        self._telling = None
        self._told_at = self._loop.time()
        self.tracker.tell()
        self.changed()

    def _ask(self) -> None:
        self._asking = None
        self.tracker.ask()
        self.changed()

    def _update(self) -> None:
        self._updating = None
        self.tracker.apply_updates(self._loop.time())
        self.changed()

    def _owner_ended(self, number: int) -> None:
        self.tracker.owner_ended(number)
        self.changed()

    # Sending: while there is no credit, what is to be told grows together

    def _send(self) -> None:
        while self._queue and self._sending is None:
            topic, data = self._next()
            sender = self._subscriptions[topic].number if topic in self._subscriptions else 0
            reach = self._reach(data)
            if not self._runtime.uplink.publish_now(topic, Form.PLAIN, "", data, sender, reach):
                self._sending = self._loop.create_task(self._wait_to_send(topic, data, sender, reach))

    def _reach(self, data: bytes) -> Reach:
        """To all nodes, if the engine between them takes it."""
        limit = self._runtime.uplink.max_payload
        if len(data) <= limit:
            return Reach.CLUSTER
        _log.error("%s: other nodes miss presences: %d bytes do not go through, %d do", self._name, len(data), limit)
        return Reach.NODE

    def _next(self) -> tuple[str, bytes]:
        to, message = self._queue.popleft()
        topic = topic_of_all(self._name) if to is None else topic_of_one(self._name, to)
        return topic, encode_gossip(message)

    async def _wait_to_send(self, topic: str, data: bytes, sender: int, reach: Reach) -> None:
        await self._runtime.uplink.publish(topic, Form.PLAIN, "", data, sender, reach)
        self._sending = None
        self.changed()


def _node_of(replica: str) -> str:
    """The id of the node whose worker has it."""
    return replica.rpartition(":")[0]
