"""A request by hand, and the response as it is."""

import asyncio
import ssl
from typing import NamedTuple

import httptools

from tests.limits import LIMIT

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


class Response(NamedTuple):
    """A response as a client parses it."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Parsed:
    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def request(
    port: int,
    target: str,
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    body: bytes = b"",
    source: str | None = None,
) -> Response:
    """Ask, and close the connection behind the response's head and body; `source` is the address to come from."""
    length = {"Content-Length": str(len(body))} if body or method == "POST" else {}
    lines = [f"{name}: {value}" for name, value in ({"Host": f"{host}:{port}"} | (headers or {}) | length).items()]
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode()
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, local_addr=source and (source, 0))
    try:
        writer.write(head + body)
        return await _read(reader)
    finally:
        writer.transport.abort()


async def upgrade(
    port: int,
    target: str,
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    source: str | None = None,
) -> Response:
    """Ask for a WebSocket."""
    return await request(port, target, UPGRADE | (headers or {}), tls=tls, source=source)


async def _read(reader: asyncio.StreamReader) -> Response:
    parsed = _Parsed()
    async with asyncio.timeout(LIMIT):
        while not parsed.complete:
            data = await reader.read(65536)
            if not data:
                break
            try:
                parsed.parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                break
    return Response(parsed.parser.get_status_code(), parsed.headers, parsed.body)
