"""A chat: every topic below `chat:` is a room."""

from roost import Channel, Endpoint, Error, Ok, Socket, event


class UserSocket(Socket):
    async def connect(self, params, info):
        self.name = params.get("name")
        return Ok() if self.name else Error()


class RoomChannel(Channel[UserSocket]):
    async def joined(self):
        await self.broadcast("joined", {"name": self.socket.name})

    @event("shout")
    async def shout(self, payload: dict):
        if not payload.get("body"):
            return Error({"reason": "say something"})
        await self.broadcast("shout", {"name": self.socket.name, "body": payload["body"]})
        return Ok()


UserSocket.route("chat:*", RoomChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket})
