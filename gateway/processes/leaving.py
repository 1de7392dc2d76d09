"""How a worker leaves: it accepts nobody, sends its clients away in batches, lets their channels end, and waits until
all it published is through.

The same whether the node stops or the number of workers changes; how long it may take is in `Stop`.
"""

import logging
from typing import TYPE_CHECKING

from roost.gateway.processes.draining import send_away, until
from roost.shared.control import Stop

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.connect.site import Site
    from roost.gateway.transports.server import HostedServer

_log = logging.getLogger("roost.worker")


async def leave(server: "HostedServer", site: "Site", runtime: "Runtime", how: Stop) -> None:
    """Stop serving, in order; then `server.serve` returns."""
    began = runtime.now()
    server.stop_accepting()
    site.leave()
    await send_away(runtime, how.pace, lambda: bool(server.arriving or site.entrances.watched))
    # The process ends after this: its clients take the close frame before, or are cut off.
    await until(lambda: not runtime.clients, how.closing)
    if not await until(lambda: not runtime.ending, began + how.limit - runtime.now()):
        _log.warning("leaving after %g s although %d channels have not ended", how.limit, len(runtime.ending))
    for presence in runtime.presences:
        presence.leave()
    # Rule W11: what waits is admitted, and the log is empty before the worker goes.
    if not await until(runtime.uplink.drained, began + how.limit - runtime.now()):
        _log.warning("leaving after %g s although not all that was published here is through", how.limit)
    server.stop()
