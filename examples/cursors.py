"""A board on which all see each other's cursors: of a slow client's cursors only the newest is kept.

make run EXAMPLE=cursors
"""

import msgspec

from examples.page import page
from roost import Channel, Endpoint, Ok, Presence, Socket, WhenSlow, event

presence = Presence()
COLORS = ["#e4572e", "#2e86ab", "#3a7d44", "#a23b72", "#f18f01", "#5f4bb6"]


class Point(msgspec.Struct):
    """A place on the board, from 0 to 1 each way."""

    x: float
    y: float


class BoardSocket(Socket):
    async def connect(self, params, info):
        self.name = params.get("name") or f"guest {self.number}"
        return Ok()


class BoardChannel(Channel[BoardSocket]):
    when_slow = WhenSlow.LATEST

    async def joined(self):
        self.color = COLORS[self.socket.number % len(COLORS)]
        await self.push("you", {"key": self.key})
        await presence.track(self, self.key, {"name": self.socket.name, "color": self.color})
        await presence.push_state(self)

    @property
    def key(self):
        """Names the cursor: two windows of one person have two."""
        return f"{self.worker}.{self.socket.number}"

    @event("move")
    async def move(self, payload: Point):
        await self.broadcast_from("moved", {"key": self.key, "x": payload.x, "y": payload.y})


BoardSocket.route("board:*", BoardChannel)
endpoint = Endpoint(sockets={"/socket": BoardSocket}, app=page("cursors.html"), presences=[presence])
