"""Channels that take their time to end, or end of what comes to them."""

import asyncio
import logging
from typing import Any

from roost import Channel, Endpoint, Ok, Raw, Socket, event
from roost.gateway.clients.channel_mailbox import MAX_MAILBOX


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: Any) -> Ok:
        return Ok()


class LastingChannel(Channel[UserSocket]):
    async def terminate(self, reason: Any) -> None:
        await asyncio.sleep(1.0)
        logging.getLogger("farewells").warning("%s has ended: %s", self.topic, reason)


class FloodedChannel(Channel[UserSocket]):
    @event("hello")
    async def hello(self, payload: Raw) -> Ok:
        return Ok()

    @event("flood")
    async def flood(self, payload: Raw) -> None:
        for number in range(MAX_MAILBOX + 1):
            self.send_after(0, number)
        await asyncio.Event().wait()


UserSocket.route("lasting:*", LastingChannel)
UserSocket.route("flooded:*", FloodedChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket})
