"""The bridge as a peer of its node's bus: it hears what is for other nodes, and publishes what came from them."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Final

from roost.broker.bridge.bridge_trace import Followed
from roost.shared.bus import Lane, Reach, decode_letter
from roost.shared.crossing import Crossing
from roost.shared.peer.delivery import Arrival
from roost.shared.peer.shard_link import Echo, Frames, Letters
from roost.shared.peer.shard_sockets import ShardSockets
from roost.shared.run_directory import RunDirectory
from roost.shared.shard_map import ShardMap
from roost.shared.topics import BRIDGE, TAP

if TYPE_CHECKING:
    from roost.shared.peer.audience import Subscription

CLIENT_HASH: Final = 0
"""The bridge is in one shard, whichever this chooses."""


class LocalBus:
    """Letters in, publishes out."""

    def __init__(
        self,
        run_dir: RunDirectory,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        tapped: Callable[[bytes], None],
        direct: Callable[[bytes], None],
        limit: int,
    ) -> None:
        """`tapped` is called with each publish for the cluster, `direct` with each for one node, both in order.

        `limit`: bytes that may wait for the shards; beyond them nothing is published.
        """
        self._loop = loop
        self._tapped = tapped
        self._direct = direct
        self._limit = limit
        self._awake = False
        self._standing = asyncio.Event()
        self._tickets = count()
        self._waiting: dict[int, tuple[int, Followed | None]] = {}
        """By ticket what waits for credit: its size, and who follows it."""
        self._waiting_bytes = 0
        self.changed_over: Callable[[int], None] = lambda _: None
        """Called with the epoch in which the bridge publishes from now on."""
        self._sockets = ShardSockets(run_dir, worker, loop, self._carry_out, self._wake)
        self._delivery = self._sockets.delivery
        self._epoch = self._delivery.epoch
        self._missing: set[Subscription] = {
            self._delivery.subscribe(CLIENT_HASH, topic, Lane.LETTER, (), None, None) for topic in (TAP, BRIDGE)
        }
        self._wake()

    @property
    def epoch(self) -> int:
        """The epoch in which the bridge publishes."""
        return self._delivery.epoch

    async def standing(self) -> None:
        """Wait until everything that is published for other nodes is heard."""
        await self._standing.wait()

    @property
    def shards(self) -> int:
        """How many shards a publish goes to."""
        return self._delivery.shards

    def publish(self, crossing: Crossing, followed: Followed | None = None) -> bool:
        """What came from another node, for the subscribers of this one alone. False if too much waits already."""
        topic, form, event, payload = crossing.topic, crossing.form, crossing.event, crossing.payload
        trace = 0 if followed is None else followed.trace
        self._wake()
        if number := self._delivery.publish(topic, form, event, payload, reach=Reach.NODE, trace=trace):
            if followed is not None:
                followed.published(number)
            return True
        if self._waiting_bytes >= self._limit:
            return False
        ticket = next(self._tickets)
        size = len(topic) + len(event) + len(payload)
        self._waiting[ticket] = size, followed
        self._waiting_bytes += size
        self._delivery.await_credit(ticket, topic, form, event, payload, reach=Reach.NODE, trace=trace)
        return True

    def drained(self) -> bool:
        """Whether all that came from other nodes has reached its receivers."""
        return self._delivery.drained()

    def adopt(self, shard_map: ShardMap) -> None:
        """The map has changed."""
        self._sockets.adopt(shard_map)

    def close(self) -> None:
        """Close all sockets."""
        self._sockets.close()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._awake = False
        self._sockets.flush()
        if self._epoch != self._delivery.epoch:
            self._epoch = self._delivery.epoch
            self.changed_over(self._epoch)

    def _carry_out(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            self._missing.difference_update(arrival.confirmed)
            if not self._missing:
                self._standing.set()
            for handover in arrival.handovers:
                match handover:
                    case Letters(_, topic, letter):
                        self._hand_over(topic, letter)
                    case Echo(link, number):
                        link.release(number)
                    case Frames():
                        pass
            for ticket, number in arrival.admitted:
                self._admitted(ticket, number)
        self._delivery.books.timed.clear()  # nothing is written here whose time could be taken

    def _admitted(self, ticket: int, number: int) -> None:
        size, followed = self._waiting.pop(ticket)
        self._waiting_bytes -= size
        if followed is not None:
            followed.published(number)

    def _hand_over(self, topic: str, letter: bytes) -> None:
        if topic == TAP:
            self._tapped(letter)
        else:
            self._direct(decode_letter(letter).payload)
