"""An application whose node is one of several: who is present, what reaches which node, what is told of the others."""

from typing import Any

from roost import (
    CallFailed,
    Channel,
    ChannelAddress,
    ConnectInfo,
    Endpoint,
    Error,
    LongPoll,
    MessagesLost,
    NodeDown,
    NodeUp,
    Ok,
    PayloadTooLarge,
    Presence,
    Socket,
    UnknownNode,
    event,
)

here = Presence()
told: list[list[Any]] = []
"""The events of the cluster, in this worker."""


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok:
        if "user" in params:
            self.id = f"users:{params['user']}"
        return Ok()


class RoomChannel(Channel[UserSocket]):
    """Sends what its client wants sent, as far as that wants it to go."""

    async def join(self, params: Any) -> Ok:
        return Ok({"node": self.endpoint.node_name})

    @event("everywhere")
    async def everywhere(self, payload: dict[str, Any]) -> Any:
        try:
            await self.broadcast("said", payload)
        except PayloadTooLarge as error:
            return Error({"reason": str(error)})
        return Ok()

    @event("from")
    async def everybody_else(self, payload: dict[str, Any]) -> Ok:
        await self.broadcast_from("said", payload)
        return Ok()

    @event("here")
    async def only_here(self, payload: dict[str, Any]) -> Ok:
        await self.local_broadcast("said", payload)
        return Ok()

    @event("there")
    async def only_there(self, payload: dict[str, Any]) -> Any:
        try:
            await self.endpoint.direct_broadcast(payload["node"], self.topic, "said", payload)
        except UnknownNode as error:
            return Error({"reason": str(error)})
        return Ok()

    @event("large")
    async def large(self, payload: dict[str, int]) -> Any:
        return await self.everywhere({"text": "x" * payload["size"]})

    @event("ask")
    async def ask(self, payload: dict[str, Any]) -> Any:
        try:
            return Ok({"answer": await self.endpoint.call(ChannelAddress(*payload["address"]), payload["question"])})
        except CallFailed as error:
            return Error({"reason": str(error)})

    async def handle_call(self, question: Any) -> Any:
        return [self.endpoint.node_name, question]

    @event("nodes")
    async def nodes(self, payload: Any) -> Ok:
        return Ok({"nodes": self.endpoint.nodes(), "told": told, "address": list(self.address)})

    @event("disconnect")
    async def disconnect(self, payload: dict[str, str]) -> Ok:
        await self.endpoint.broadcast(f"users:{payload['user']}", "disconnect", {})
        return Ok()


class HallChannel(Channel[UserSocket]):
    async def join(self, params: dict[str, str]) -> Ok:
        self.user = params["user"]
        return Ok()

    async def joined(self) -> None:
        await here.track(self, self.user, {})
        await here.push_state(self)

    @event("list")
    async def list_all(self, payload: Any) -> Ok:
        return Ok(await here.list(self))


UserSocket.route("room:*", RoomChannel)
UserSocket.route("hall:*", HallChannel)

endpoint = Endpoint(check_origin=False, presences=[here])
endpoint.mount("/socket", UserSocket, longpoll=LongPoll(window=1.0))
endpoint.telemetry.attach(NodeUp, lambda event: told.append(["NodeUp", event.node]))
endpoint.telemetry.attach(NodeDown, lambda event: told.append(["NodeDown", event.node]))
endpoint.telemetry.attach(MessagesLost, lambda event: told.append(["MessagesLost", event.node, event.lost]))
