"""A worker's real surroundings without shards: what needs no subscription works in them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from roost.broker.pool import fresh
from roost.gateway.bus.uplink import Uplink
from roost.gateway.clients.runtime import Runtime
from roost.gateway.endpoint import Endpoint
from roost.gateway.transports.turn import Turn
from roost.shared.run_directory import RunDirectory
from roost.shared.shard_map import EMPTY
from tests.shared.processes import short_directory


@contextmanager
def lone_worker(endpoint: Endpoint | None = None) -> Iterator[Runtime]:
    """A runtime in the running loop, whose shards never answer."""
    loop = asyncio.get_running_loop()
    with short_directory() as path:
        run_dir = RunDirectory.open(str(path / "run"))
        run_dir.write_map(fresh(EMPTY, 1))
        turn = Turn(loop)
        uplink = Uplink(run_dir, 1, turn, loop)
        runtime = Runtime(1, endpoint or Endpoint(), loop, turn, uplink)
        try:
            yield runtime
        finally:
            runtime.runner.close()
            uplink.close()
