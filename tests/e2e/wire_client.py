"""A client that sends any bytes it likes, and reads frames with the websockets library."""

import asyncio
import contextlib
import struct
from dataclasses import replace
from typing import Self

from websockets.client import ClientProtocol
from websockets.extensions.base import Extension
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import ExtensionName
from websockets.uri import parse_uri

from tests.limits import LIMIT

MASK = b"\x11\xa2\x33\xc4"


def client_frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    declared: int | None = None,
) -> bytes:
    """A frame, well formed or not. `declared`: the length in its head, if it is not the payload's."""
    length = len(payload) if declared is None else declared
    first = fin << 7 | rsv << 4 | opcode
    masked = (mask is not None) << 7
    if length < 126:
        head = bytes((first, masked | length))
    elif length < 65_536:
        head = struct.pack(">BBH", first, masked | 126, length)
    else:
        head = struct.pack(">BBQ", first, masked | 127, length)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


class _MarkOnly(Extension):
    """Lets compressed messages through as they are."""

    name = ExtensionName("permessage-deflate")

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        del max_size
        return replace(frame, rsv1=False)

    def encode(self, frame: Frame) -> Frame:
        return frame


class WireClient:
    """One upgraded connection."""

    def __init__(self, port: int, target: str, *, offer: str | None = None) -> None:
        """`offer`: its Sec-WebSocket-Extensions; messages that come compressed are shown as they come."""
        self._offer = f"Sec-WebSocket-Extensions: {offer}\r\n" if offer else ""
        self.agreed: str | None = None
        self._port = port
        self._target = target
        self._protocol = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
        self._frames: list[Frame] = []
        self._gone = False
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(
            f"GET {self._target} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"{self._offer}Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        async with asyncio.timeout(LIMIT):
            head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        _, _, agreed = head.partition(b"Sec-WebSocket-Extensions: ")
        if agreed:
            self.agreed = agreed.split(b"\r\n")[0].decode()
            self._protocol.extensions = [_MarkOnly()]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def send(self, *pieces: bytes) -> None:
        """Send these bytes; a server that has gone does not read them."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(b"".join(pieces))
            async with asyncio.timeout(LIMIT):
                await self._writer.drain()

    async def send_one_by_one(self, data: bytes) -> None:
        """Send each byte in a packet of its own."""
        for byte in data:
            await self.send(bytes((byte,)))
            await asyncio.sleep(0)

    def end_sending(self) -> None:
        """Half-close the connection: the server sees its end and can still send."""
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    async def frame(self) -> Frame:
        """The next frame."""
        while not self._frames:
            assert not self._gone, "the connection ended"
            await self._read()
        return self._frames.pop(0)

    async def message(self) -> tuple[Opcode, bytes]:
        """The next frame, which is a whole one."""
        frame = await self.frame()
        assert frame.fin
        return frame.opcode, bytes(frame.data)

    async def ends(self) -> list[Frame]:
        """All frames up to the end of the connection."""
        while not self._gone:
            await self._read()
        frames, self._frames = self._frames, []
        return frames

    async def closed(self) -> int | None:
        """Read to the end, which a close frame comes before and nothing else: its code, None if it has none."""
        (frame,) = await self.ends()
        assert frame.opcode is Opcode.CLOSE, frame
        return Close.parse(bytes(frame.data)).code if frame.data else None

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(LIMIT):
                data = await self._reader.read(65_536)
        except ConnectionError:
            data = b""
        self._gone = not data
        if data:
            self._protocol.receive_data(data)
            self._frames += [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            assert self._protocol.parser_exc is None
