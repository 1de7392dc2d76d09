"""`roost connect`: a WebSocket as lines of text, so that it works in a pipe."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import count
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from roost.client.messages import HEARTBEAT_PERIOD

MAX_LINES_AHEAD: Final = 100
"""Lines read from standard input and not sent yet; then reading waits."""


def talk(url: str, frames: list[str], join: str | None) -> int:
    """Talk until the connection ends; returns the exit status."""
    try:
        return asyncio.run(_talk(_websocket_url(url, join), frames, join))
    except KeyboardInterrupt:
        return 130


async def _talk(url: str, frames: list[str], join: str | None) -> int:
    try:
        async with connect(url, max_size=None) as connection:
            _say(f"Connected to {url}")
            return await _exchange(connection, frames, join)
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
        hint = "" if urlsplit(url).path.endswith("/websocket") else " (the path of a Phoenix socket ends in /websocket)"
        _say(f"Cannot connect to {url}: {error}{hint if isinstance(error, InvalidStatus) else ''}")
        return 1


async def _exchange(connection: ClientConnection, frames: list[str], join: str | None) -> int:
    sending = asyncio.ensure_future(_send(connection, frames, join))
    try:
        async for frame in connection:
            _print(frame, readable=join is not None)
    except ConnectionClosed:
        pass
    finally:
        sending.cancel()
    reason = connection.close_reason
    _say(f"Disconnected! code {connection.close_code}{': ' + reason if reason else ''}")
    return 0


async def _send(connection: ClientConnection, frames: list[str], join: str | None) -> None:
    refs = map(str, count(1))
    heartbeat = None
    if join is not None:
        ref = next(refs)
        await connection.send(json.dumps([ref, ref, join, "phx_join", {}]))
        heartbeat = asyncio.ensure_future(_keep_alive(connection, refs))
    try:
        for frame in frames:
            await connection.send(frame)
        async for line in _lines():
            await connection.send(line)
        if heartbeat is not None:
            await heartbeat
    finally:
        if heartbeat is not None:
            heartbeat.cancel()


async def _keep_alive(connection: ClientConnection, refs: "map[str]") -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_PERIOD)
        await connection.send(json.dumps([None, next(refs), "phoenix", "heartbeat", {}]))


async def _lines() -> AsyncIterator[str]:
    """Lines of standard input, whatever it is: a thread reads, for not everything can be waited for in a loop."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue(MAX_LINES_AHEAD)

    def read() -> None:
        with suppress(RuntimeError, CancelledError):  # the loop has ended
            for line in sys.stdin:
                asyncio.run_coroutine_threadsafe(lines.put(line.rstrip("\n")), loop).result()
            asyncio.run_coroutine_threadsafe(lines.put(None), loop).result()

    threading.Thread(target=read, daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line


def _print(frame: str | bytes, *, readable: bool) -> None:
    if isinstance(frame, bytes):
        text = frame.hex(" ")
    elif readable:
        text = _readable(frame)
    else:
        text = frame
    print(text, flush=True)  # noqa: T201 - this is the command line


def _readable(frame: str) -> str:
    """Topic, event and payload of a V2 message; anything else as it is."""
    try:
        _, _, topic, event, payload = json.loads(frame)
    except ValueError:
        return frame
    return f"{topic} {event} {json.dumps(payload, ensure_ascii=False)}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _websocket_url(url: str, join: str | None) -> str:
    for plain, websocket in (("http://", "ws://"), ("https://", "wss://")):
        if url.startswith(plain):
            url = websocket + url.removeprefix(plain)
    if join is None or "vsn=" in urlsplit(url).query:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}vsn=2.0.0"
