"""Channels in the test's own process: without network, broker or worker, on a clock that the test moves."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from websockets.datastructures import Headers

from roost.gateway.bus.local_bus import local_runtime
from roost.gateway.connect.connect_info import ConnectInfo, PeerData, Uri
from roost.gateway.letters import Broadcast, encode_plain, open_letter
from roost.gateway.replies import Error
from roost.shared.bus import Form, Lane
from roost.shared.phash2 import hash32
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import application_topic
from roost.testing.client import REAL_LIMIT, ClientSocket, ConnectRefused
from roost.testing.frozen_clock import FrozenClock
from roost.testing.inbox import ANY, Expected, fits, show_payload

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.endpoint import Endpoint
    from roost.gateway.socket import Socket
    from roost.shared.peer.audience import Subscription

SECRET: Final = "the secret of tests, which is as long as a secret must be: 64 bytes"  # noqa: S105
"""From which tokens of tests are derived, unless another one is given."""


@asynccontextmanager
async def local_node(endpoint: "Endpoint", *, secret: str = SECRET) -> "AsyncIterator[LocalNode]":
    """Serve an endpoint in the running loop, until the block of `async with` ends."""
    clock = FrozenClock(asyncio.get_running_loop())
    try:
        runtime = local_runtime(endpoint, (secret,))
        node = LocalNode(endpoint, runtime, clock)
        for presence in runtime.presences:
            starting = asyncio.ensure_future(presence.start())
            await clock.advance(0)
            await starting
        try:
            yield node
        finally:
            await node.close()
            for presence in runtime.presences:
                await presence.close()
            runtime.runner.close()
    finally:
        clock.thaw()


class LocalNode:
    """An endpoint that is served for a test."""

    def __init__(self, endpoint: "Endpoint", runtime: "Runtime", clock: FrozenClock) -> None:
        self.endpoint = endpoint
        self.clock = clock
        self._runtime = runtime
        self._broadcasts: list[Any] = []
        self._subscriptions: dict[str, Subscription] = {}
        self._sockets: list[ClientSocket] = []

    async def connect(
        self, socket: "type[Socket]", params: Any = None, *, info: ConnectInfo | None = None
    ) -> ClientSocket:
        """Connect a client. Parameters become text, as in a query. Raises ConnectRefused with the socket's answer."""
        client = ClientSocket(self)
        as_sent = {**_as_query(params or {}), "vsn": "2.0.0"}
        verdict = await self.endpoint.connect(socket, client.wire, as_sent, info or connect_info())
        if isinstance(verdict, Error):
            raise ConnectRefused(verdict)
        self._sockets.append(client)
        return client

    async def broadcast(self, topic: str, event: str, payload: Any) -> None:
        """Broadcast as any code of the server may."""
        await self.endpoint.broadcast(topic, event, payload)

    async def broadcast_from(self, topic: str, event: str, payload: Any) -> None:
        """The same, but the test's own subscription to the topic is left out."""
        form, data = encode_broadcast(topic, event, payload)
        subscription = self._subscriptions.get(topic)
        await self._runtime.publish(
            application_topic(topic), form, event, data, 0 if subscription is None else subscription.number
        )

    async def send(self, topic: str, message: Any) -> None:
        """Send a plain message to whoever subscribes to a topic, as `PubSub.broadcast` does."""
        await self._runtime.publish(application_topic(topic), Form.PLAIN, "", encode_plain(message))

    async def subscribe(self, topic: str) -> None:
        """Subscribe the test to a topic, for `assert_broadcast`. Doing it again changes nothing."""
        if topic not in self._subscriptions:
            client_hash = hash32(self._runtime.next_number())
            self._subscriptions[topic] = self._runtime.uplink.subscribe(
                client_hash, application_topic(topic), Lane.LETTER, (), None, self
            )
            await self.clock.settle()

    async def advance(self, seconds: float) -> None:
        """Let time pass: timers, sleeps and time-outs of the server come due in their order."""
        await self.clock.advance(seconds)

    async def assert_broadcast(self, topic: str, event: str, payload: Expected = ANY) -> Any:
        """The event was broadcast on a topic to which the test subscribes. Answers its payload."""
        self._must_subscribe(topic)
        found: list[Broadcast] = []
        await self.wait_for(lambda: bool(found) or self._take(topic, event, payload, found))
        if not found:
            shown = "any payload" if payload is ANY else show_payload(payload)
            raise AssertionError(f"no {event!r} with {shown} was broadcast on {topic!r}; {self._show_broadcasts()}")
        return found[0].payload

    async def refute_broadcast(self, topic: str, event: str, payload: Expected = ANY) -> None:
        """The event was not broadcast on a topic to which the test subscribes."""
        self._must_subscribe(topic)
        await self.clock.settle()
        found: list[Broadcast] = []
        if self._take(topic, event, payload, found):
            raise AssertionError(
                f"{event!r} was not to be broadcast on {topic!r}, but it was: {show_payload(found[0].payload)}"
            )

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Let happen what happens by itself, until the condition is true; a moment longer for threads that answer."""
        await self.clock.settle()
        deadline = time.monotonic() + REAL_LIMIT
        while not condition() and time.monotonic() < deadline:
            await asyncio.sleep(0)

    def what_waits(self) -> str:
        """A hint for who waits for something that only time brings about."""
        due = self.clock.next_due()
        if due is None:
            return ""
        return f"\n(time stands still: the next timer is due in {due - self.clock.now():g} s, see `advance`)"

    async def close(self) -> None:
        """Disconnect all clients."""
        for socket in self._sockets:
            socket.wire.lost()
        await self.clock.settle()

    # Told by the bus

    def confirmed(self, _: "Subscription") -> None:
        """The test waits for it by turns."""

    def letter(self, topic: str, letter: bytes) -> None:
        self._broadcasts.append(open_letter(topic, letter))

    def _take(self, topic: str, event: str, payload: Expected, found: list[Broadcast]) -> bool:
        for number, one in enumerate(self._broadcasts):
            if isinstance(one, Broadcast) and (one.topic, one.event) == (topic, event) and fits(payload, one.payload):
                found.append(self._broadcasts.pop(number))
                return True
        return False

    def _must_subscribe(self, topic: str) -> None:
        if topic not in self._subscriptions:
            raise RuntimeError(
                f"the test does not subscribe to {topic!r}: join with `subscribe_and_join`, or `await "
                f"node.subscribe({topic!r})` before"
            )

    def _show_broadcasts(self) -> str:
        if not self._broadcasts:
            return "nothing was"
        shown = [
            f"  {one.event!r} on {one.topic!r}: {show_payload(one.payload)}"
            if isinstance(one, Broadcast)
            else f"  a plain message: {one!r}"
            for one in self._broadcasts
        ]
        return "\n".join(["what was:", *shown])


def connect_info(
    *,
    address: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
    auth_token: str | None = None,
    session: Any = None,
) -> ConnectInfo:
    """What `connect` is told of a client, for tests that care."""
    return ConnectInfo(
        PeerData(address, 40_000),
        Uri("http", "localhost", 80, "/socket/websocket", ""),
        Headers(headers or {}),
        auth_token=auth_token,
        session=session,
    )


def _as_query(params: Any) -> Any:
    """Names and values as a query would have carried them: text, in dicts and lists."""
    if isinstance(params, dict):
        return {str(name): _as_query(value) for name, value in params.items()}
    if isinstance(params, list | tuple):
        return [_as_query(value) for value in params]
    if isinstance(params, bool):
        return "true" if params else "false"
    return "" if params is None else str(params)
