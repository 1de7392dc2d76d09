"""Numbers, one a second: `numbers:positive` counts up, `numbers:negative` counts down."""

import time
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

from roost import Channel, Endpoint, Error, Ok, Socket


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: Any) -> Ok | Error:
        return Ok()


class NumbersChannel(Channel[UserSocket]):
    async def join(self, params: Any) -> Ok | Error:
        if self.subtopic not in ("positive", "negative"):
            return Error({"reason": "unauthorized"})
        self.sign = 1 if self.subtopic == "positive" else -1
        self.number = 0
        self.joined_at = time.time()
        return Ok()

    async def joined(self) -> None:
        self.send_after(1.0, "update")

    async def handle_info(self, message: Any) -> None:
        self.number += self.sign
        await self.push("update", {"number": self.number})
        self.send_after(1.0, "update")


UserSocket.route("numbers:*", NumbersChannel)

page = FileResponse(Path(__file__).parent / "numbers.html")
endpoint = Endpoint(app=Starlette(routes=[Route("/", lambda _: page)]))
endpoint.mount("/socket", UserSocket)
