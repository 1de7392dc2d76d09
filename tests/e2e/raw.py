"""A client without any help: frames as they are on the wire, by the websockets library."""

import asyncio
import json
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

from tests.limits import LIMIT


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

    async def send_together(self, *messages: Any) -> None:
        """Send frames in one packet, which are read in one turn."""
        for message in messages:
            self.connection.protocol.send_text(json.dumps(message).encode())
        self.connection.transport.write(b"".join(self.connection.protocol.data_to_send()))

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


class UnreadClient:
    """A V2 client that reads only when it is asked to, with little room for what it has not read."""

    def __init__(self, port: int, path: str = "/socket") -> None:
        self._port = port
        self._protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}/websocket?vsn=2.0.0"), max_size=None)
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket()
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._frames: list[Frame] = []
        self._ended = False

    async def __aenter__(self) -> Self:
        await self._loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        self._protocol.send_request(self._protocol.connect())
        await self._flush()
        while self._protocol.state.name == "CONNECTING":
            await self._read()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    async def send(self, *messages: Any) -> None:
        """Send frames; waits for as long as the server does not take them."""
        for message in messages:
            self._protocol.send_text(json.dumps(message).encode())
        await self._flush()

    async def receive(self) -> Any:
        """The next message."""
        while not self._frames:
            assert not self._ended, "the connection ended"
            await self._read()
        frame = self._frames.pop(0)
        assert frame.opcode is Opcode.TEXT, frame
        return json.loads(bytes(frame.data))

    async def until(self, matches: Callable[[Any], bool]) -> list[Any]:
        """All messages up to the first that matches."""
        messages = [await self.receive()]
        while not matches(messages[-1]):
            messages.append(await self.receive())
        return messages

    async def join(self, topic: str) -> None:
        await self.send(["1", "1", topic, "phx_join", {}])
        assert (await self.receive())[4]["status"] == "ok"

    async def ended(self) -> tuple[list[Any], Close]:
        """Read to the end: what came before it, and the close frame."""
        while not self._ended:
            await self._read()
        *messages, close = self._frames
        assert close.opcode is Opcode.CLOSE, close
        return [json.loads(bytes(frame.data)) for frame in messages], Close.parse(bytes(close.data))

    async def _read(self) -> None:
        try:
            data = await asyncio.wait_for(self._loop.sock_recv(self._socket, 65536), LIMIT)
        except ConnectionError:
            data = b""
        self._ended = not data
        if data:
            self._protocol.receive_data(data)
            self._frames += [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            if self._protocol.state.name == "OPEN":
                await self._flush()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await asyncio.wait_for(self._loop.sock_sendall(self._socket, data), LIMIT)
