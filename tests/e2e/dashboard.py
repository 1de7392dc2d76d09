"""A dashboard without a page, of the admin listener's channels; and clients that give it something to show."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from types import TracebackType
from typing import Any, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.e2e.raw import RawClient
from tests.e2e.test_metrics import WatchedNode
from tests.limits import LIMIT


class DashboardClient:
    """Joins the channels of a view and asks them."""

    def __init__(
        self,
        node: WatchedNode,
        *,
        token: str | None = None,
        origin: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._url = f"ws://127.0.0.1:{node.admin_port}/dashboard/socket/websocket?vsn=2.0.0"
        self._token = node.token if token is None else token
        self._origin = origin
        self._headers = headers
        self._refs = map(str, count(1))
        self._joins: dict[str, str] = {}
        self._told: list[Any] = []
        self.connection: ClientConnection

    async def __aenter__(self) -> Self:
        encoded = base64.urlsafe_b64encode(self._token.encode()).rstrip(b"=").decode()
        protocols = [Subprotocol("phoenix"), Subprotocol(f"base64url.bearer.phx.{encoded}")]
        self.connection = await connect(
            self._url,
            subprotocols=protocols,
            origin=None if self._origin is None else Origin(self._origin),
            additional_headers=self._headers,
            compression=None,
            ping_interval=None,
        )
        assert self.connection.subprotocol == "phoenix"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.close()

    async def join(self, topic: str) -> Any:
        """The join's response."""
        self._joins[topic] = next(self._refs)
        return await self._ask(self._joins[topic], topic, "phx_join", {})

    async def ask(self, topic: str, event: str, /, **payload: Any) -> Any:
        """The response, if it is ok."""
        return await self._ask(next(self._refs), topic, event, payload)

    async def refused(self, topic: str, event: str, /, **payload: Any) -> str:
        """Why it is refused."""
        reason = await self._ask(next(self._refs), topic, event, payload, "error")
        return str(reason["reason"])

    async def hears(self, event: str, matches: Callable[[Any], bool] = lambda _: True) -> Any:
        """The payload of the next event that matches; those before it are forgotten."""
        async with asyncio.timeout(LIMIT):
            while True:
                *_, name, payload = await self._next()
                if name == event and matches(payload):
                    return payload

    async def _ask(self, ref: str, topic: str, event: str, payload: Any, status: str = "ok") -> Any:
        await self.connection.send(msgspec.json.encode([self._joins[topic], ref, topic, event, payload]).decode())
        async with asyncio.timeout(LIMIT):
            while True:
                message = msgspec.json.decode(await self.connection.recv())
                if message[1] == ref:
                    assert message[3] == "phx_reply", message
                    assert message[4]["status"] == status, message
                    return message[4]["response"]
                self._told.append(message)

    async def _next(self) -> Any:
        if self._told:
            return self._told.pop(0)
        return msgspec.json.decode(await self.connection.recv())


@asynccontextmanager
async def talking(clients: list[RawClient]) -> AsyncIterator[None]:
    """They all read; the first one says something again and again."""

    async def read(client: RawClient) -> None:
        async for _ in client.connection:
            pass

    async def talk() -> None:
        while True:
            await clients[0].send(["1", "9", "room:all", "new_msg", {"body": "hello"}])
            await asyncio.sleep(0.01)

    tasks = [asyncio.ensure_future(work) for work in (talk(), *map(read, clients))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
