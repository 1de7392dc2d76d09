"""A peer's sockets to the shards: bytes in and out for `Delivery`. No decisions here."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import zmq

from roost.shared.bus import BadParcel, decode_worker_parcel
from roost.shared.peer.delivery import Arrival, Delivery, Open
from roost.shared.pump import Dealer
from roost.shared.run_directory import RunDirectory, worker_name
from roost.shared.shard_map import ShardMap, Slot

TICK: Final = 0.5
"""Seconds between two looks at the map's file and at the shards' signs of life."""

_log = logging.getLogger("roost.bus")


class ShardSockets:
    """One socket for each slot of the map, and the clock that `Delivery` wants to be told."""

    def __init__(
        self,
        run_dir: RunDirectory,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        carry_out: Callable[[list[Arrival]], None],
        wake: Callable[[], None],
    ) -> None:
        """The peer must hold its life lock. `carry_out` is told what arrived, `wake` that `flush` is to be called."""
        self._run_dir = run_dir
        self._loop = loop
        self._told = carry_out
        self._wake = wake
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealers: dict[Slot, Dealer] = {}
        self.delivery = Delivery(
            worker, run_dir.read_map(), loop.time(), lambda publisher: run_dir.alive(worker_name(publisher))
        )
        self.notes_arrival = False
        """Whether somebody wants to know when what arrives was read."""
        self.arrived = 0
        """When what is being carried out was, in nanoseconds of the machine's monotonic clock."""
        self._ack_timer: asyncio.TimerHandle | None = None
        self._linked = asyncio.Event()
        self._tick = loop.call_later(TICK, self._on_tick)

    async def linked(self) -> None:
        """Wait until every shard has answered."""
        await self._linked.wait()

    def adopt(self, shard_map: ShardMap) -> None:
        """The map was pushed, or read from its file."""
        self._carry_out([self.delivery.adopt(shard_map, self._loop.time())])

    def flush(self) -> None:
        """Send what is to be sent at the end of a turn."""
        self._change_sockets()
        for slot, parcel in self.delivery.flush(self._loop.time()):
            dealer = self._dealers[slot]
            dealer.send(parcel)
            if dealer.readable():
                self._loop.call_soon(self._readable, slot)
        deadline = self.delivery.deadline()
        if deadline is not None and self._ack_timer is None:
            self._ack_timer = self._loop.call_at(deadline, self._on_ack_due)

    def close(self) -> None:
        """Close all sockets."""
        self._tick.cancel()
        if self._ack_timer is not None:
            self._ack_timer.cancel()
        for slot in list(self._dealers):
            self._disconnect(slot)
        self._context.destroy(linger=0)

    def _readable(self, slot: Slot) -> None:
        dealer = self._dealers.get(slot)
        if dealer is None:
            return
        if self.notes_arrival:
            self.arrived = time.monotonic_ns()
        arrivals = []
        now = self._loop.time()
        for data in dealer.drain():
            try:
                parcel = decode_worker_parcel(data)
            except BadParcel as error:
                _log.error("shard %s sent what is no parcel: %s", slot, error)
                continue
            arrivals.append(self.delivery.receive(slot, parcel, now))
        if arrivals:
            self._carry_out(arrivals)

    def _carry_out(self, arrivals: list[Arrival]) -> None:
        self._told(arrivals)
        if not self._linked.is_set() and self.delivery.linked():
            self._linked.set()
        self._wake()

    def _on_ack_due(self) -> None:
        self._ack_timer = None
        self.flush()

    def _on_tick(self) -> None:
        self._tick = self._loop.call_later(TICK, self._on_tick)
        if self._run_dir.map_changed():
            self.adopt(self._run_dir.read_map())
        self.delivery.tick(self._loop.time())
        self._wake()

    def _change_sockets(self) -> None:
        changes, self.delivery.sockets = self.delivery.sockets, []
        for change in changes:
            self._disconnect(change.slot)
            if isinstance(change, Open):
                self._connect(change)

    def _connect(self, change: Open) -> None:
        path = self._run_dir.bus_socket(change.slot, change.incarnation)
        dealer = Dealer(self._context, path, self.delivery.worker, change.session)
        self._dealers[change.slot] = dealer
        self._loop.add_reader(dealer.descriptor, self._readable, change.slot)

    def _disconnect(self, slot: Slot) -> None:
        dealer = self._dealers.pop(slot, None)
        if dealer is not None:
            self._loop.remove_reader(dealer.descriptor)
            dealer.close()
