"""What the tests and the load tests drive: rooms that do everything that a channel can do."""

import time

from examples.numbers import NumbersChannel
from roost import Channel, Endpoint, Error, Ok, Presence, Raw, RawSocket, Socket, Stop, WebSocket, event


class LobbyPresence(Presence):
    topics = ("lobby:*",)


lobby = LobbyPresence()


class PlaygroundSocket(Socket):
    async def connect(self, params, info):
        return Ok()


class RoomChannel(Channel[PlaygroundSocket]):
    @event("new_msg")
    async def new_msg(self, payload: Raw | bytes):
        await self.broadcast("new_msg", payload)

    @event("ping")
    async def ping(self, payload: Raw | bytes):
        return Ok(payload)

    @event("others")
    async def others(self, payload: Raw | bytes):
        await self.broadcast_from("others", payload)

    @event("push_me")
    async def push_me(self, payload: Raw | bytes):
        await self.push("pushed", payload)

    @event("reply_bare")
    async def reply_bare(self, payload: Raw):
        return Ok()

    @event("binary_reply")
    async def binary_reply(self, payload: Raw):
        return Ok(bytes(payload))

    @event("reply_error")
    async def reply_error(self, payload: Raw | bytes):
        return Error(payload)

    @event("where")
    async def where(self, payload: Raw):
        return Ok({"worker": self.worker, "channel": self.subscriber})

    @event("crash")
    async def crash(self, payload: Raw):
        raise RuntimeError("asked to crash")

    @event("stop")
    async def stop(self, payload: Raw):
        return Stop()

    @event("stop_reply")
    async def stop_reply(self, payload: Raw):
        return Stop(reply=Ok())

    @event("stop_shutdown")
    async def stop_shutdown(self, payload: Raw):
        return Stop("shutdown")

    @event("stop_other")
    async def stop_other(self, payload: Raw):
        return Stop("other")


class LobbyChannel(Channel[PlaygroundSocket]):
    """Shows who is here: whoever joins says as which `user`."""

    async def join(self, params):
        if not isinstance(params, dict) or not isinstance(params.get("user"), str | int):
            return Error({"reason": "say which user you are"})
        self.user = params["user"]
        return Ok()

    async def joined(self):
        await lobby.track(self, self.user, {"online_at": int(time.time())})
        await lobby.push_state(self)

    @event("update")
    async def update(self, payload: dict):
        return await lobby.update(self, self.user, lambda meta: {**meta, **payload})

    @event("list")
    async def list_all(self, payload: dict):
        return Ok(await lobby.list(self))

    @event("where")
    async def where(self, payload: Raw):
        return Ok({"worker": self.worker})


class EchoSocket(RawSocket):
    """Sends back every message as it came: the WebSocket itself, without channels."""

    async def handle_in(self, data):
        await self.send(data)


PlaygroundSocket.route("room:*", RoomChannel)
PlaygroundSocket.route("lobby:*", LobbyChannel)
PlaygroundSocket.route("numbers:*", NumbersChannel)

endpoint = Endpoint(check_origin=False, presences=[lobby])
endpoint.mount("/socket", PlaygroundSocket, websocket=WebSocket(timeout=None))
endpoint.mount("/echo", EchoSocket, websocket=WebSocket(timeout=None))
