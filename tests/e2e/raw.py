"""A client without any help: frames as they are on the wire, by the websockets library."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

LIMIT = 10.0
"""Seconds in which a frame arrives."""


class RawClient:
    """One WebSocket connection that speaks V1 or V2 by hand."""

    def __init__(self, url: str, vsn: str | None = "2.0.0", **params: str) -> None:
        query = {**({"vsn": vsn} if vsn else {}), **params}
        self._url = f"{url}/websocket?" + "&".join(f"{name}={value}" for name, value in query.items())
        self.connection: ClientConnection

    async def __aenter__(self) -> Self:
        self.connection = await connect(self._url, compression=None, ping_interval=None, max_size=None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.close()

    async def send(self, message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> Any:
        """The next frame, decoded."""
        async with asyncio.timeout(LIMIT):
            return json.loads(await self.connection.recv())

    async def ask(self, message: Any) -> Any:
        """Send a frame and take the next one that comes."""
        await self.send(message)
        return await self.receive()

    async def join(self, topic: str, ref: str = "1", payload: Any = None) -> Any:
        """Join in V2, the reply's response."""
        reply = await self.ask([ref, ref, topic, "phx_join", payload or {}])
        assert reply[:4] == [ref, ref, topic, "phx_reply"], reply
        assert reply[4]["status"] == "ok", reply
        return reply[4]["response"]

    async def closed(self) -> int:
        """Wait until the server has closed the connection: the close code."""
        async with asyncio.timeout(LIMIT):
            await self.connection.wait_closed()
        code = self.connection.close_code
        assert code is not None
        return code
