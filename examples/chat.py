"""A chat: every topic below `chat:` is a room, which shows who is there."""

import time

from examples.page import page
from roost import Channel, Endpoint, Error, Ok, Presence, Socket, event

presence = Presence()


class UserSocket(Socket):
    async def connect(self, params, info):
        self.name = params.get("name")
        return Ok() if self.name else Error()


class RoomChannel(Channel[UserSocket]):
    async def joined(self):
        await presence.track(self, self.socket.name, {"online_at": int(time.time())})
        await presence.push_state(self)

    @event("shout")
    async def shout(self, payload: dict):
        if not payload.get("body"):
            return Error({"reason": "say something"})
        await self.broadcast("shout", {"name": self.socket.name, "body": payload["body"]})
        return Ok()

    @event("typing")
    async def typing(self, payload):
        await self.broadcast_from("typing", {"name": self.socket.name})


UserSocket.route("chat:*", RoomChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket}, app=page("chat.html"), presences=[presence])
