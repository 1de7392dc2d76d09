"""Numbers, one a second: `numbers:positive` counts up, `numbers:negative` counts down."""

from examples.page import page
from roost import Channel, Endpoint, Error, Ok, Socket


class UserSocket(Socket):
    async def connect(self, params, info):
        return Ok()


class NumbersChannel(Channel[UserSocket]):
    async def join(self, params):
        if self.subtopic not in ("positive", "negative"):
            return Error({"reason": "unauthorized"})
        self.sign = 1 if self.subtopic == "positive" else -1
        self.number = 0
        return Ok()

    async def joined(self):
        self.send_after(1.0, "update")

    async def handle_info(self, message):
        self.number += self.sign
        await self.push("update", {"number": self.number})
        self.send_after(1.0, "update")


UserSocket.route("numbers:*", NumbersChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket}, app=page("numbers.html"))
