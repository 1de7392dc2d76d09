"""The channel that shows the node as a whole, and changes the number of its shards."""

import os
from typing import Any

import msgspec

from roost.gateway.admin.dashboard.socket import DashboardSocket
from roost.gateway.channel import Channel
from roost.gateway.events import event
from roost.gateway.replies import Error, Ok
from roost.gateway.transports.when_slow import WhenSlow
from roost.shared.config import MAX_SHARDS
from roost.shared.control import ScaleShards
from roost.shared.link import Refused
from roost.shared.resharding import ReshardingStatus


class Scale(msgspec.Struct, frozen=True):
    """How many shards there are to be."""

    shards: int


class NodeChannel(Channel[DashboardSocket]):
    """While it is joined, it is told what `Watch` sees."""

    when_slow = WhenSlow.LATEST

    async def join(self, params: Any) -> Ok:
        """The looks of the last minutes, as far as somebody looked."""
        del params
        watch = self.socket.desk.watch
        watch.enter()
        self.at_end(watch.leave)
        return Ok({"points": list(watch.points), "cores": os.cpu_count() or 1, "max_shards": MAX_SHARDS})

    async def joined(self) -> None:
        """What those who joined before know already."""
        for name, seen in list(self.socket.desk.watch.last.items()):
            await self.push(name, seen)

    @event("scale")
    async def scale(self, payload: Scale) -> Ok | Error:
        """Change the number of shards. Answers how it begins; how it goes on is broadcast."""
        desk = self.socket.desk
        try:
            status = await desk.node.ask_broker(ScaleShards(payload.shards), ReshardingStatus)
        except Refused as refused:
            return Error({"reason": str(refused)})
        desk.watch.follow_resharding()
        return Ok(status)
