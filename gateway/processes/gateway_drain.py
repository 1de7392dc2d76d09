"""`roost drain`: the gateway sends all its clients away and lets none in, until that is called off or it ends.

That is what stands before a load balancer's maintenance: new clients are answered 503, so that it takes the node out,
and the clients that there are come back, a batch at a time, on other nodes. The gateway itself stays.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from roost.gateway.processes.headcount import count_clients
from roost.shared.control import Admit, Drain
from roost.shared.drain import DrainPhase, DrainStatus, Pace
from roost.shared.supervisor import Supervisor

LOOK_PERIOD: Final = 0.1
"""Seconds between two counts of the clients that are left."""

_log = logging.getLogger("roost.gateway")


class GatewayDrain:
    """Whether the gateway is drained, and how far that is."""

    def __init__(self, workers: Supervisor, pace: Callable[[], Pace]) -> None:
        """`pace`: how all workers together send their clients away."""
        self._workers = workers
        self._pace = pace
        self._watching: asyncio.Task[None] | None = None
        self.status = DrainStatus()

    @property
    def on(self) -> bool:
        """Whether clients are refused."""
        return self.status.phase is not DrainPhase.OPEN

    def order(self) -> Drain | Admit:
        """What every worker is told, those too that are started later."""
        return Drain(self._pace().shared_by(len(self._workers.children))) if self.on else Admit()

    def begin(self) -> DrainStatus:
        """Drain. If that is being done or has been done already, nothing changes."""
        if not self.on:
            self.status = DrainStatus(DrainPhase.DRAINING)
            self._watching = asyncio.ensure_future(self._carry_through())
        return self.status

    def end(self) -> DrainStatus:
        """Let clients in again."""
        if self.on:
            self.stop()
            self.status = DrainStatus()
            self._workers.tell_all(self.order())
            _log.info("clients are let in again")
        return self.status

    def stop(self) -> None:
        """Watch no longer."""
        if self._watching is not None:
            self._watching.cancel()

    async def _carry_through(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        clients, complete = await count_clients(self._workers.children.values())
        self.status = DrainStatus(DrainPhase.DRAINING, clients, clients)
        _log.info("draining: new clients are refused, %d are sent away", clients)
        self._workers.tell_all(self.order())
        left, complete = await count_clients(self._workers.children.values())
        while left or not complete:
            await asyncio.sleep(LOOK_PERIOD)
            left, complete = await count_clients(self._workers.children.values())
            clients = max(clients, left)  # a worker may not have answered the first time
            self.status = DrainStatus(DrainPhase.DRAINING, clients, left, loop.time() - began)
        self.status = replace(self.status, phase=DrainPhase.DRAINED)
        _log.info("drained: all clients are gone")
