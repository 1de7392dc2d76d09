"""A connection to a server of Phoenix channels, and the topics joined on it. It does not come back by itself."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from roost.client.messages import (
    CLOSED,
    CRASHED,
    HEARTBEAT_PERIOD,
    JOIN,
    LEAVE,
    REPLIED,
    BadServerMessage,
    ServerMessage,
    decode_message,
    encode_message,
)

REPLY_LIMIT: Final = 10.0
"""Seconds in which a message is answered, unless the caller says otherwise (phoenix.js's time-out)."""
MAX_UNREAD: Final = 10_000
"""Messages of a channel that wait to be read; with one more the connection is ended."""


class PushFailed(Exception):
    """A message was not answered `ok`."""

    def __init__(self, event: str, status: str, payload: Any) -> None:
        super().__init__(f"{event!r} was answered {status}: {payload}")
        self.status = status
        self.payload = payload


class ChannelEnded(Exception):
    """The channel was closed, has crashed, or the connection is gone; the text says which."""


@asynccontextmanager
async def open_connection(url: str, params: Mapping[str, str] | None = None) -> AsyncIterator["Connection"]:
    """Connect to a socket, such as `ws://localhost:4000/socket`, until the block of `async with` ends.

    Raises OSError and what the websockets library raises if the server does not let us in.
    """
    async with connect(websocket_url(url, params or {}), max_size=None) as websocket:
        connection = Connection(websocket)
        try:
            yield connection
        finally:
            await connection.close()


def websocket_url(url: str, params: Mapping[str, str]) -> str:
    """The address of a socket's WebSocket, as phoenix.js makes it: `/websocket`, `vsn` and parameters appended."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.endswith("/websocket") else f"{parts.path.rstrip('/')}/websocket"
    given = [parts.query] if parts.query else []
    wanted = {**params} if "vsn=" in parts.query else {**params, "vsn": "2.0.0"}
    return urlunsplit((scheme, parts.netloc, path, "&".join([*given, urlencode(wanted)]), ""))


class Connection:
    """One connection."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket
        self._refs = map(str, count(1))
        self._channels: dict[str, JoinedChannel] = {}
        self._replies: dict[str, asyncio.Future[ServerMessage]] = {}
        self.closed = asyncio.Event()
        """Set when nothing more comes."""
        self._tasks = [asyncio.ensure_future(self._read()), asyncio.ensure_future(self._keep_alive())]

    async def join(self, topic: str, payload: Any = None) -> "JoinedChannel":
        """Join a topic. Raises PushFailed if the server refuses, ChannelEnded, TimeoutError."""
        ref = next(self._refs)
        channel = self._channels[topic] = JoinedChannel(self, topic, ref)
        try:
            channel.reply = await self.push(ref, ref, topic, JOIN, payload)
        except BaseException:
            del self._channels[topic]
            raise
        return channel

    def next_ref(self) -> str:
        """A ref for a message."""
        return next(self._refs)

    async def push(
        self, join_ref: str | None, ref: str, topic: str, event: str, payload: Any, limit: float = REPLY_LIMIT
    ) -> Any:
        """Send a message and wait for its reply. Raises PushFailed, ChannelEnded, TimeoutError."""
        future = self._replies[ref] = asyncio.get_running_loop().create_future()
        try:
            await self.send(join_ref, ref, topic, event, payload)
            async with asyncio.timeout(limit):
                reply = await future
        finally:
            del self._replies[ref]
        if reply.status != "ok":
            raise PushFailed(event, str(reply.status), reply.payload)
        return reply.payload

    async def send(self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any) -> None:
        """Send a message. Raises ChannelEnded if the connection is gone."""
        try:
            await self._websocket.send(encode_message(join_ref, ref, topic, event, {} if payload is None else payload))
        except ConnectionClosed as error:
            raise ChannelEnded(f"the connection is closed: {error}") from None

    async def close(self) -> None:
        """End the connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._websocket.close()
        self._end("the connection is closed")

    async def _read(self) -> None:
        why = "the connection is closed"
        try:
            async for data in self._websocket:
                self._take(decode_message(data))
        except (ConnectionClosed, BadServerMessage, _Unread) as error:
            why = f"the connection is closed: {error}"
        self._end(why)
        await self._websocket.close()

    def _take(self, message: ServerMessage) -> None:
        if message.event == REPLIED and message.ref is not None:
            future = self._replies.get(message.ref)
            if future is not None and not future.done():
                future.set_result(message)
            return
        channel = self._channels.get(message.topic)
        if channel is not None and message.join_ref in (None, channel.join_ref):  # phoenix.js drops others, too
            channel.take(message)

    def _end(self, why: str) -> None:
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ChannelEnded(why))
        for channel in self._channels.values():
            channel.end(why)
        self.closed.set()

    async def _keep_alive(self) -> None:
        with suppress(ChannelEnded):
            while True:
                await asyncio.sleep(HEARTBEAT_PERIOD)
                await self.send(None, next(self._refs), "phoenix", "heartbeat", {})


class _Unread(Exception):
    """A channel's messages were not read."""


class JoinedChannel:
    """A topic that was joined: `async for message in channel` gives what the server sends."""

    def __init__(self, connection: Connection, topic: str, join_ref: str) -> None:
        self.topic = topic
        self.join_ref = join_ref
        self.reply: Any = None
        """What the join was answered with."""
        self._connection = connection
        self._unread: asyncio.Queue[ServerMessage | None] = asyncio.Queue()
        self._why = ""

    async def push(self, event: str, payload: Any = None, limit: float = REPLY_LIMIT) -> Any:
        """Send an event and wait for its reply; bytes go as a binary message.

        Raises PushFailed if it is not `ok`, ChannelEnded, TimeoutError.
        """
        ref = self._connection.next_ref()
        return await self._connection.push(self.join_ref, ref, self.topic, event, payload, limit)

    async def send(self, event: str, payload: Any = None) -> None:
        """Send an event without waiting for a reply. Raises ChannelEnded."""
        await self._connection.send(self.join_ref, None, self.topic, event, payload)

    async def leave(self) -> None:
        """Leave the topic."""
        await self.push(LEAVE)

    async def receive(self) -> ServerMessage:
        """The next message. Raises ChannelEnded when there is none and none will come."""
        message = await self._unread.get()
        if message is None:
            self._unread.put_nowait(None)
            raise ChannelEnded(self._why)
        return message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerMessage:
        try:
            return await self.receive()
        except ChannelEnded:
            raise StopAsyncIteration from None

    def take(self, message: ServerMessage) -> None:
        """The server has sent a message."""
        if message.event == CLOSED:
            self.end("the channel was closed")
        elif message.event == CRASHED:
            self.end("the channel has crashed")
        elif self._unread.qsize() >= MAX_UNREAD:
            raise _Unread(f"more than {MAX_UNREAD} messages of {self.topic!r} were not read")
        else:
            self._unread.put_nowait(message)

    def end(self, why: str) -> None:
        """Nothing more comes."""
        if not self._why:
            self._why = why
            self._unread.put_nowait(None)
