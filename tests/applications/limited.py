"""Sockets with rates, and sockets that are good until a certain time."""

from typing import Any

from roost import Channel, ConnectInfo, Endpoint, Ok, Rate, Rates, Socket, event


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok:
        if "expires" in params:
            self.expires_at = float(params["expires"])
        return Ok()


class RoomChannel(Channel[UserSocket]):
    @event("count")
    async def count(self, payload: Any) -> Ok:
        return Ok()

    @event("renew")
    async def renew(self, payload: dict[str, float]) -> Ok:
        self.socket.renew(payload["expires"])
        return Ok()


UserSocket.route("room:*", RoomChannel)
endpoint = Endpoint()
endpoint.mount("/events", UserSocket, rates=Rates(events_a_socket=Rate(0.01, 3)))
endpoint.mount("/joins", UserSocket, rates=Rates(joins_an_address=Rate(0.01, 2)))
endpoint.mount("/connects", UserSocket, rates=Rates(connects_an_address=Rate(0.001, 2)))
endpoint.mount("/expiring", UserSocket)
