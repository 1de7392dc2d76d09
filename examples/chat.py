"""A chat: every topic below `chat:` is a room, which shows who is there."""

import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

from roost import Channel, Endpoint, Error, Ok, Presence, Socket, event

PAGE = Path(__file__).with_suffix(".html")
presence = Presence()


class UserSocket(Socket):
    async def connect(self, params, info):
        self.name = params.get("name")
        return Ok() if self.name else Error()


class RoomChannel(Channel[UserSocket]):
    async def joined(self):
        await presence.track(self, self.socket.name, {"online_at": int(time.time())})
        await presence.push_state(self)
        await self.broadcast("joined", {"name": self.socket.name})

    @event("shout")
    async def shout(self, payload: dict):
        if not payload.get("body"):
            return Error({"reason": "say something"})
        await self.broadcast("shout", {"name": self.socket.name, "body": payload["body"]})
        return Ok()


UserSocket.route("chat:*", RoomChannel)
app = Starlette(routes=[Route("/", lambda request: FileResponse(PAGE))])
endpoint = Endpoint(sockets={"/socket": UserSocket}, app=app, presences=[presence])
