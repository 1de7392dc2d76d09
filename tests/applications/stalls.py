"""A room in which a message can block the loop: what no application should do, and some do."""

import threading
import time
from typing import Any

from roost import Channel, Endpoint, Ok, Raw, Socket, event


class StallingSocket(Socket):
    async def connect(self, params: dict[str, Any], info: Any) -> Any:
        return Ok()


class RoomChannel(Channel[StallingSocket]):
    @event("new_msg")
    async def new_msg(self, payload: Raw) -> None:
        await self.broadcast("new_msg", payload)

    @event("where")
    async def where(self, payload: Raw) -> Ok:
        return Ok({"worker": self.worker})

    @event("sleep")
    async def sleep(self, payload: dict[str, float]) -> Ok:
        time.sleep(payload["seconds"])
        return Ok()

    @event("never_return")
    async def never_return(self, payload: Raw) -> None:
        threading.Event().wait()

    @event("spin")
    async def spin(self, payload: Raw) -> None:
        while True:
            pass


StallingSocket.route("room:*", RoomChannel)
endpoint = Endpoint(sockets={"/socket": StallingSocket})
