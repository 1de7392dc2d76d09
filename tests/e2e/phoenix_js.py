"""The official phoenix.js on Node, driven by commands: what it sees comes back as it sees it."""

import asyncio
import json
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Self

from tests.limits import LIMIT

JS = Path(__file__).parents[1] / "js"
WHY_NOT: str | None = (
    None
    if shutil.which("node") and (JS / "node_modules" / "phoenix").exists()
    else "the tests with the official phoenix.js need Node and `make`'s npm packages"
)
"""Why these tests are skipped; None if they are not."""

Seen = dict[str, Any]


class PhoenixJs:
    """One Node process with any number of clients."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._names = count(1)
        self.seen: list[Seen] = []
        self._news = asyncio.Event()
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls) -> Self:
        return cls(
            await asyncio.create_subprocess_exec(
                "node",
                "driver.mjs",
                cwd=JS,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=2**26,
            )
        )

    async def connect(self, url: str, **options: Any) -> "Client":
        """A connected client."""
        client = Client(self, f"socket {next(self._names)}")
        client.tell("connect", url=url, options=options)
        await client.sees(event="open")
        return client

    def tell(self, **command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    def name(self, kind: str) -> str:
        return f"{kind} {next(self._names)}"

    async def sees(self, matches: Callable[[Seen], bool], what: str, limit: float = LIMIT) -> Seen:
        """The first thing seen that matches; fails after the limit."""
        looked_at = 0
        try:
            async with asyncio.timeout(limit):
                while True:
                    for seen in self.seen[looked_at:]:
                        looked_at += 1
                        if matches(seen):
                            return seen
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not seen within {limit:g} s: {what}; seen: {self.seen}") from None

    async def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading
        broken = [seen for seen in self.seen if set(seen) == {"error"}]
        assert not broken, broken

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.seen.append(json.loads(line))
            self._news.set()


class Client:
    """One phoenix.js Socket."""

    def __init__(self, driver: PhoenixJs, name: str) -> None:
        self._driver = driver
        self.name = name

    def tell(self, do: str, **arguments: Any) -> None:
        self._driver.tell(do=do, socket=self.name, **arguments)

    async def sees(self, limit: float = LIMIT, **expected: Any) -> Seen:
        """Wait for something that happens to this socket."""
        return await self._driver.sees(_matcher({"socket": self.name, **expected}), str(expected), limit)

    async def join(self, topic: str, params: Any = None, *, presence: bool = False) -> "Channel":
        """Join and be let in; with `presence`, a phoenix.js Presence tells what it sees too."""
        channel, verdict = await self.try_to_join(topic, params, presence=presence)
        assert verdict["joined"] == "ok", verdict
        return channel

    async def try_to_join(self, topic: str, params: Any = None, *, presence: bool = False) -> tuple["Channel", Seen]:
        """Join and hear the verdict."""
        channel = Channel(self._driver, self._driver.name(topic))
        self.tell("join", channel=channel.name, topic=topic, params=params or {}, presence=presence)
        verdict = await self._driver.sees(
            lambda seen: seen.get("channel") == channel.name and "joined" in seen, f"the verdict on {topic}"
        )
        return channel, verdict

    async def extensions(self) -> str:
        """What was agreed on in the handshake."""
        number = self._driver.name("extensions")
        self.tell("extensions", id=number)
        return str((await self.sees(reply=number))["response"])

    async def ping(self) -> float:
        """A heartbeat there and back, in milliseconds."""
        number = self._driver.name("ping")
        self.tell("ping", id=number)
        seen = await self.sees(reply=number)
        return float(seen["response"])


class Channel:
    """One phoenix.js Channel."""

    def __init__(self, driver: PhoenixJs, name: str) -> None:
        self._driver = driver
        self.name = name

    def tell(self, do: str, **arguments: Any) -> None:
        self._driver.tell(do=do, channel=self.name, **arguments)

    def send(self, event: str, payload: Any = None) -> str:
        """Push without waiting; returns the name under which the reply will be seen."""
        number = self._driver.name("push")
        self.tell("push", event=event, payload=payload or {}, id=number)
        return number

    async def push(self, event: str, payload: Any = None) -> tuple[str, Any]:
        """Push and wait for the reply: its status and response."""
        seen = await self.sees(reply=self.send(event, payload))
        return seen["status"], seen["response"]

    async def leave(self) -> None:
        number = self._driver.name("leave")
        self.tell("leave", id=number)
        await self.sees(reply=number)

    async def sees(self, limit: float = LIMIT, **expected: Any) -> Seen:
        """Wait for something that happens to this channel."""
        return await self._driver.sees(_matcher({"channel": self.name, **expected}), str(expected), limit)

    async def hears(self, event: str, payload: Any, limit: float = LIMIT) -> None:
        """Wait for an event with exactly this payload."""
        await self.sees(limit, event=event, payload=payload)

    async def hears_so_often(self, event: str, times: int, limit: float = LIMIT) -> None:
        """Wait until the event has been seen so many times in all."""
        await self._driver.sees(lambda _: len(self.payloads(event)) >= times, f"{times} times {event}", limit)

    def payloads(self, event: str) -> list[Any]:
        """The payloads of that event seen so far."""
        return [
            seen["payload"]
            for seen in self._driver.seen
            if seen.get("channel") == self.name and seen.get("event") == event
        ]


def _matcher(expected: Seen) -> Callable[[Seen], bool]:
    return lambda seen: all(name in seen and seen[name] == value for name, value in expected.items())
