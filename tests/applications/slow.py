"""An application with a channel for each slow-client policy, and little room for slow clients."""

import asyncio
from typing import Any

from roost import Channel, ConnectInfo, Endpoint, Ok, Raw, Socket, WebSocket, WhenSlow, event

MAX_OUTBOUND_BYTES = 256 * 1024


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok:
        self.go_on = asyncio.Event()
        return Ok()


class TalkChannel(Channel[UserSocket]):
    async def join(self, params: dict[str, float]) -> Ok:
        await asyncio.sleep(params.get("sleep", 0))
        return Ok()

    @event("wait")
    async def wait(self, payload: Raw) -> Ok:
        """Until another channel of the client hears "go_on"."""
        await self.socket.go_on.wait()
        return Ok()

    @event("go_on")
    async def go_on(self, payload: Raw) -> None:
        self.socket.go_on.set()

    @event("ignore")
    async def ignore(self, payload: Raw) -> None:
        """It was only sent to be much."""

    @event("say")
    async def say(self, payload: Raw) -> Ok:
        await self.broadcast("said", payload)
        return Ok()

    @event("echo")
    async def echo(self, payload: Raw) -> Ok:
        return Ok(payload)

    @event("push")
    async def push_bytes(self, payload: dict[str, int]) -> None:
        for number in range(payload["count"]):
            await self.push("pushed", {"number": number, "fill": "x" * payload["size"]})

    @event("sleep")
    async def sleep(self, payload: dict[str, Any]) -> Ok:
        await asyncio.sleep(payload["seconds"])
        return Ok()


class LossyChannel(TalkChannel):
    when_slow = WhenSlow.DROP_NEWEST


class LatestChannel(TalkChannel):
    when_slow = WhenSlow.LATEST


class MixedChannel(TalkChannel):
    when_slow = {"mixed:cursors:*": WhenSlow.LATEST}  # noqa: RUF012 - as an application writes it


UserSocket.route("strict:*", TalkChannel)
UserSocket.route("lossy:*", LossyChannel)
UserSocket.route("latest:*", LatestChannel)
UserSocket.route("mixed:*", MixedChannel)

endpoint = Endpoint()
endpoint.mount("/socket", UserSocket, websocket=WebSocket(timeout=None, max_outbound_bytes=MAX_OUTBOUND_BYTES))
