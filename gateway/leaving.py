"""How a worker leaves: it accepts nobody, sends its clients away in batches, waits until all it published is through.

The same whether the node stops or the number of workers changes; how long it may take is in `Stop`.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

from roost.gateway.telemetry import SocketDrain
from roost.shared.control import Stop
from roost.shared.frames import CloseCode

if TYPE_CHECKING:
    from roost.gateway.runtime import Runtime
    from roost.gateway.server import HostedServer
    from roost.gateway.site import Site

BATCH_PERIOD: Final = 0.25
"""Seconds from one batch to the next: 1,000 clients in each come back as fast as a worker can let them in."""
CLOSE_LIMIT: Final = 1.0
"""Seconds that the last clients have to answer the close frame."""
_LOOK_PERIOD: Final = 0.01

_log = logging.getLogger("roost.worker")


async def leave(server: "HostedServer", site: "Site", runtime: "Runtime", how: Stop) -> None:
    """Stop serving, in order; then `server.serve` returns."""
    began = runtime.now()
    server.stop_accepting()
    site.leave()
    total = len(runtime.clients)
    size = batch_size(total, how)
    told: set[int] = set()

    def some_come() -> bool:
        return bool(server.arriving or site.entrances.watched)

    while runtime.now() < began + how.spread and (_send_away(runtime, told, size, total) or some_come()):
        await _until(lambda: not runtime.clients and not some_come(), BATCH_PERIOD)
    _send_away(runtime, told, max(1, len(runtime.clients)), total)
    await _until(lambda: not runtime.clients, CLOSE_LIMIT)
    # Rule W11: what waits is admitted, and the log is empty before the worker goes.
    if not await _until(runtime.uplink.drained, began + how.limit - runtime.now()):
        _log.warning("leaving after %g s although not all that was published here is through", how.limit)
    server.stop()


def batch_size(clients: int, how: Stop) -> int:
    """Clients to send away at a time: as many as `how` says, more if that would take longer than it may."""
    return max(how.batch, math.ceil(clients * BATCH_PERIOD / how.spread))


def _send_away(runtime: "Runtime", told: set[int], size: int, total: int) -> int:
    """Close the connections of so many who have not been told yet; answers how many that was."""
    clients = [client for number, client in runtime.clients.items() if number not in told]
    for client in islice(clients, size):
        told.add(client.socket.number)
        client.transport.close(CloseCode.SERVICE_RESTART)
    sent = min(len(clients), size)
    if sent and SocketDrain in runtime.telemetry.attached:
        runtime.telemetry.emit(
            SocketDrain(
                count=sent,
                total=total,
                index=math.ceil(len(told) / size),
                rounds=math.ceil(max(total, len(told)) / size),
                endpoint=runtime.endpoint,
                interval=BATCH_PERIOD,
            )
        )
    return sent


async def _until(condition: Callable[[], bool], limit: float) -> bool:
    """Wait until it is true; False if it is not after so many seconds."""
    deadline = asyncio.get_running_loop().time() + limit
    while not condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_LOOK_PERIOD)
    return True
