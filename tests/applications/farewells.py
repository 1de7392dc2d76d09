"""Channels that take their time to end."""

import asyncio
import logging
from typing import Any

from roost import Channel, Endpoint, Ok, Socket


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: Any) -> Ok:
        return Ok()


class LastingChannel(Channel[UserSocket]):
    async def terminate(self, reason: Any) -> None:
        await asyncio.sleep(1.0)
        logging.getLogger("farewells").warning("%s has ended: %s", self.topic, reason)


UserSocket.route("lasting:*", LastingChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket})
