"""An application to look into: sockets with ids, state with secrets, long-poll."""

from typing import Any

from roost import Channel, ConnectInfo, Endpoint, Error, LongPoll, Ok, Raw, Socket, WebSocket, event


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        if "user" in params:
            self.id = f"user:{params['user']}"
            self.password = "hunter2"  # what must not be seen
            self.name = params["user"]
        return Ok()


class RoomChannel(Channel[UserSocket]):
    async def join(self, params: Any) -> Ok | Error:
        if self.subtopic == "refused":
            return Error({"reason": "no"})
        self.api_token = "hunter2"
        self.visits = 3
        await self.subscribe("news")
        return Ok()

    @event("where")
    async def where(self, payload: Raw) -> Ok:
        return Ok({"worker": self.worker, "subscriber": self.subscriber, "number": self.socket.number})


class HallChannel(Channel[UserSocket]):
    @event("where")
    async def where(self, payload: Raw) -> Ok:
        return Ok({"worker": self.worker, "subscriber": self.subscriber, "number": self.socket.number})

    @event("shout")
    async def shout(self, payload: Raw) -> Ok:
        await self.broadcast("heard", payload)
        return Ok()


UserSocket.route("room:*", RoomChannel)
UserSocket.route("hall:*", HallChannel)
endpoint = Endpoint(check_origin=False)
endpoint.mount("/socket", UserSocket, websocket=WebSocket(timeout=None), longpoll=LongPoll())
