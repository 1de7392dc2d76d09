"""A long-poll client by hand: each request is a connection of its own, so that it arrives at any worker."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

from tests.e2e.http import Response, request
from tests.limits import LIMIT

NDJSON = "application/x-ndjson"
Message = list[Any]


class LongPollClient:
    """One session."""

    def __init__(self, port: int, path: str = "/socket/longpoll", vsn: str = "2.0.0", **params: str) -> None:
        self.port = port
        self.path = path
        self.vsn = vsn
        self.params = {"vsn": vsn, **params}
        self.token: str | None = None
        self._heard: list[Message] = []

    async def request(self, method: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Response:
        """Any request, with the token as a parameter if there is one."""
        query = urlencode(self.params | ({} if self.token is None else {"token": self.token}))
        return await request(self.port, f"{self.path}?{query}", headers, method=method, body=body)

    async def get(self, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """A poll: the answer's body."""
        return body_of(await self.request("GET", headers))

    async def open(self, headers: dict[str, str] | None = None) -> "LongPollClient":
        """Begin a session."""
        body = await self.get(headers)
        assert (body["status"], body["messages"]) == (410, []), body
        self.token = body["token"]
        return self

    async def post(self, *messages: Message | bytes, content_type: str | None = NDJSON) -> int:
        """Send messages, as one batch in V2, one by one in V1; bytes go as they are. The status in the last body."""
        if self.vsn.startswith("1"):
            statuses = [await self._post(_v1(message), None) for message in messages]
            return statuses[-1]
        lines = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in messages]
        return await self._post(b"\n".join(lines), content_type)

    async def _post(self, body: bytes, content_type: str | None) -> int:
        headers = {} if content_type is None else {"Content-Type": content_type}
        status: int = body_of(await self.request("POST", headers, body))["status"]
        return status

    async def poll(self) -> list[Message]:
        """The messages of one poll, as V2 writes them."""
        body = await self.get()
        assert body["status"] == (200 if body["messages"] else 204), body
        assert body["token"] == self.token
        return [_read(json.loads(text)) for text in body["messages"]]

    async def hears(self, count: int) -> list[Message]:
        """So many messages, by as many polls as it takes, windows that pass included; the rest is for the next time."""
        async with asyncio.timeout(LIMIT):
            while len(self._heard) < count:
                self._heard += await self.poll()
        heard, self._heard = self._heard[:count], self._heard[count:]
        return heard

    async def join(self, topic: str, params: Any = None, ref: str = "1") -> Message:
        """Join; the reply, which comes first."""
        assert await self.post([ref, ref, topic, "phx_join", params or {}]) == 200
        return (await self.hears(1))[0]


def body_of(response: Response) -> dict[str, Any]:
    """The body of an answer, with what every answer has."""
    assert response.status == 200, response
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, Any] = json.loads(response.body)
    return body


def _v1(message: Message | bytes) -> bytes:
    if isinstance(message, bytes):
        return message
    names = ("join_ref", "ref", "topic", "event", "payload")
    return json.dumps(dict(zip(names, message, strict=True))).encode()


def _read(message: Any) -> Message:
    """V1's objects in V2's order; they have no join_ref."""
    if isinstance(message, list):
        return message
    return [None, message["ref"], message["topic"], message["event"], message["payload"]]
