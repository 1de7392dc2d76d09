"""Django Channels: groups of its layer for one process, on uvicorn with uvloop."""

import sys

import uvicorn
from django.conf import settings

settings.configure(
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1_000_000}}}
)

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402


class Member(AsyncWebsocketConsumer):
    group = ""

    async def receive(self, text_data=None, bytes_data=None):
        if text_data[0] == "j":
            self.group = text_data[1:].replace(":", ".")
            await self.channel_layer.group_add(self.group, self.channel_name)
            await self.send("ok")
        elif text_data[1] == '"':
            await self.send(text_data)
        else:
            await self.channel_layer.group_send(self.group, {"type": "spread", "text": text_data})

    async def spread(self, event):
        await self.send(event["text"])

    async def disconnect(self, code):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)


def main(port: int) -> None:
    uvicorn.run(
        Member.as_asgi(),
        port=port,
        loop="uvloop",
        backlog=4096,
        lifespan="off",
        log_level="warning",
        ws_ping_interval=None,
        ws_per_message_deflate=False,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
