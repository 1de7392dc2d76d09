"""Sends a worker's clients away, a batch at a time, so that those who take them in are not overrun."""

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from roost.gateway.telemetry import SocketDrain
from roost.shared.drain import CLOSING, Pace
from roost.shared.frames import CloseCode

if TYPE_CHECKING:
    from roost.gateway.clients.client import Client
    from roost.gateway.clients.raw_connection import RawConnection
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.transports.server import HostedServer

_LOOK_PERIOD: Final = 0.01


async def drain(server: "HostedServer", runtime: "Runtime", pace: Pace) -> None:
    """Send away who is there, while the site lets nobody in; the worker goes on."""
    server.end_idle()
    await send_away(runtime, pace, lambda: False)
    while not await until(lambda: not runtime.clients, CLOSING):
        # Some were being let in when it began.
        await send_away(runtime, pace, lambda: False)


async def send_away(runtime: "Runtime", pace: Pace, some_come: Callable[[], bool]) -> None:
    """Close the clients' connections in batches; returns when all have been told.

    While `some_come`, clients that came meanwhile are told too, until the time is over.
    """
    deadline = runtime.now() + pace.spread
    batches = _Batches(runtime, pace)

    def all_are_gone() -> bool:
        return not runtime.clients and not some_come()

    while runtime.now() < deadline:
        batches.send(batches.size)
        if not some_come() and not batches.untold():
            return
        await until(all_are_gone, pace.interval)
    batches.send(len(runtime.clients))


class _Batches:
    """The clients of one worker, as they are sent away."""

    def __init__(self, runtime: "Runtime", pace: Pace) -> None:
        self._runtime = runtime
        self._interval = pace.interval
        self._total = len(runtime.clients)
        self._told: set[int] = set()
        self.size = pace.batch_of(self._total)

    def untold(self) -> "list[Client | RawConnection]":
        """Who has not been told yet."""
        return [client for number, client in self._runtime.clients.items() if number not in self._told]

    def send(self, size: int) -> None:
        """Close the connections of so many who have not been told yet."""
        batch = self.untold()[:size]
        for client in batch:
            self._told.add(client.socket.number)
            client.transport.close(CloseCode.SERVICE_RESTART)
        telemetry = self._runtime.telemetry
        if batch and SocketDrain in telemetry.attached:
            telemetry.emit(
                SocketDrain(
                    count=len(batch),
                    total=max(self._total, len(self._told)),
                    index=math.ceil(len(self._told) / self.size),
                    rounds=math.ceil(max(self._total, len(self._told)) / self.size),
                    endpoint=self._runtime.endpoint,
                    interval=self._interval,
                )
            )


async def until(condition: Callable[[], bool], limit: float) -> bool:
    """Wait until it is true; False if it is not after so many seconds."""
    deadline = asyncio.get_running_loop().time() + limit
    while not condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_LOOK_PERIOD)
    return True
