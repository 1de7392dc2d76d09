"""A client in the same process as its channels, with the vocabulary of Phoenix's channel tests."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from roost.client.messages import CLOSED, CRASHED, JOIN, LEAVE, REPLIED, ServerMessage, decode_message, encode_message
from roost.gateway.custom_transport import Transport
from roost.testing.inbox import ANY, Expected, Inbox, fits, is_push, show_payload

if TYPE_CHECKING:
    from roost.gateway.channel import Channel
    from roost.gateway.clients.client import Client
    from roost.gateway.replies import Error
    from roost.gateway.socket import Socket
    from roost.testing.local_node import LocalNode

REAL_LIMIT: Final = 0.1
"""Seconds of the real clock that an assertion waits when nothing goes on, for threads that may still answer."""


class ConnectRefused(Exception):
    """The socket's `connect` let the client not in."""

    def __init__(self, error: "Error") -> None:
        super().__init__(f"connect answered {error!r}")
        self.error = error


class JoinRefused(Exception):
    """A join was not answered `ok`."""

    def __init__(self, topic: str, status: str, payload: Any) -> None:
        super().__init__(f"the join of {topic!r} was answered {status} {show_payload(payload)}")
        self.status = status
        self.payload = payload


class Wire(Transport):
    """What carries a client's messages: nothing, they are in one process."""

    name = "test"

    def __init__(self, client: "ClientSocket") -> None:
        super().__init__()
        self._client = client

    @property
    def handler(self) -> Any:
        """What handles the client's messages in the server; None when the connection is closed."""
        return self._handler

    def deliver(self, data: str | bytes) -> None:
        self._client.hear(decode_message(data))

    def closed(self, code: int, reason: str) -> None:
        self._client.code = code
        self._client.reason = reason


class ClientSocket:
    """A connected client. `node.connect` makes one."""

    def __init__(self, node: "LocalNode") -> None:
        self.node = node
        self.wire = Wire(self)
        self.code: int | None = None
        """The close code with which the server has ended the connection; None while it stands."""
        self.reason = ""
        self._refs = map(str, count(1))
        self._channels: dict[str, ClientChannel] = {}

    @property
    def socket(self) -> "Socket":
        """The server's side: what `connect` made, with its attributes."""
        return self.client.socket

    @property
    def client(self) -> "Client":
        """What handles the client's messages in the server."""
        client: Client | None = self.wire.handler
        if client is None:
            raise RuntimeError("the connection is closed")
        return client

    async def join(self, topic: str, payload: Any = None) -> "ClientChannel":
        """Join a topic, which the socket's routes give to a channel. Raises JoinRefused."""
        ref = next(self._refs)
        channel = self._channels[topic] = ClientChannel(self, topic, ref)
        self.say(ref, ref, topic, JOIN, {} if payload is None else payload)
        answer = await channel.reply_to(ref)
        channel.reply = answer.payload
        if answer.status != "ok":
            raise JoinRefused(topic, str(answer.status), answer.payload)
        return channel

    async def subscribe_and_join(self, topic: str, payload: Any = None) -> "ClientChannel":
        """As `join`; the test subscribes to the topic first, so that `assert_broadcast` sees what is broadcast there.

        Raises JoinRefused.
        """
        await self.node.subscribe(topic)
        return await self.join(topic, payload)

    def next_ref(self) -> str:
        """A ref for a message."""
        return next(self._refs)

    def say(self, join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any) -> None:
        """Send the server a message, as it would come over the wire."""
        self.wire.received(encode_message(join_ref, ref, topic, event, payload))

    async def close(self) -> None:
        """The client's connection is gone."""
        self.wire.lost()
        await self.node.clock.settle()

    async def assert_closed(self, code: int | None = None) -> None:
        """The server has ended the connection, with that code if one is given."""
        await self.node.wait_for(lambda: self.code is not None)
        if self.code is None or (code is not None and code != self.code):
            found = "it stands" if self.code is None else f"the code is {self.code} {self.reason}".rstrip()
            raise AssertionError(f"the connection was to be closed{f' with {code}' if code else ''}: {found}")

    def hear(self, message: ServerMessage) -> None:
        """The server has sent a message."""
        channel = self._channels.get(message.topic)
        if channel is not None and message.join_ref in (None, channel.join_ref):  # phoenix.js drops others, too
            channel.inbox.add(message)


class ClientChannel:
    """A topic that a client has joined."""

    def __init__(self, socket: ClientSocket, topic: str, join_ref: str) -> None:
        self.socket = socket
        self.topic = topic
        self.join_ref = join_ref
        self.reply: Any = None
        """What the join was answered with."""
        self.inbox = Inbox()

    @property
    def channel(self) -> "Channel[Any]":
        """The server's side: the channel, with its attributes. Raises RuntimeError if it has ended."""
        membership = self.socket.client.topics.get(self.topic)
        if membership is None:
            raise RuntimeError(f"there is no channel for {self.topic!r} any more")
        channel: Channel[Any] = membership.process.channel
        return channel

    # What a client does

    def push(self, event: str, payload: Any = None) -> str:
        """Send an event; bytes go as a binary message. Answers its ref, for `assert_reply`."""
        ref = self.socket.next_ref()
        self.socket.say(self.join_ref, ref, self.topic, event, {} if payload is None else payload)
        return ref

    def leave(self) -> str:
        """Leave the topic. Answers the ref, for `assert_reply`."""
        return self.push(LEAVE)

    # What code of the server does

    def send_info(self, message: Any) -> None:
        """Give the channel's `handle_info` a message."""
        process = self.socket.client.topics[self.topic].process
        asyncio.get_running_loop().call_soon(process.info, message)  # handlers are not run from within a task

    async def call(self, question: Any) -> Any:
        """What the channel's `handle_call` answers. Raises CallFailed."""
        return await self.socket.node.endpoint.call(self.channel.address, question)

    # What must come of it

    async def assert_reply(self, ref: str, status: str = "ok", payload: Expected = ANY) -> Any:
        """The push of that ref was answered so. Answers the reply's payload."""
        found = await self._wait(lambda message: message.event == REPLIED and message.ref == ref)
        if found is None:
            raise AssertionError(f"no reply to ref {ref} came; {self._explain()}")
        if found.status != status or not fits(payload, found.payload):
            raise AssertionError(
                f"ref {ref} was to be answered {status} {_show(payload)}, "
                f"not {found.status} {show_payload(found.payload)}"
            )
        return found.payload

    async def refute_reply(self, ref: str) -> None:
        """The push of that ref was not answered."""
        await self._refute(f"a reply to ref {ref}", lambda message: message.event == REPLIED and message.ref == ref)

    async def assert_push(self, event: str, payload: Expected = ANY) -> Any:
        """The client was sent the event, pushed or broadcast. Answers its payload."""
        found = await self._wait(_event(event, payload))
        if found is None:
            raise AssertionError(f"no {event!r} with {_show(payload)} was pushed; {self._explain()}")
        return found.payload

    async def refute_push(self, event: str, payload: Expected = ANY) -> None:
        """The client was not sent the event."""
        await self._refute(f"{event!r} with {_show(payload)}", _event(event, payload))

    async def assert_closed(self) -> None:
        """The channel has ended so that the client stays away: `phx_close`."""
        await self._assert_ended(CLOSED, "to be closed (phx_close)")

    async def assert_crashed(self) -> None:
        """The channel has ended so that the client joins again: `phx_error`."""
        await self._assert_ended(CRASHED, "to crash (phx_error)")

    async def assert_broadcast(self, event: str, payload: Expected = ANY) -> Any:
        """The event was broadcast on this topic, to which the test has subscribed. Answers its payload."""
        return await self.socket.node.assert_broadcast(self.topic, event, payload)

    async def refute_broadcast(self, event: str, payload: Expected = ANY) -> None:
        """The event was not broadcast on this topic, to which the test has subscribed."""
        await self.socket.node.refute_broadcast(self.topic, event, payload)

    async def reply_to(self, ref: str) -> ServerMessage:
        """The reply to a message of that ref, whatever it is."""
        found = await self._wait(lambda message: message.event == REPLIED and message.ref == ref)
        if found is None:
            raise AssertionError(f"no reply to ref {ref} came; {self._explain()}")
        return found

    async def _assert_ended(self, event: str, what: str) -> None:
        if await self._wait(lambda message: message.event == event) is None:
            raise AssertionError(f"the channel of {self.topic!r} was {what}; {self._explain()}")

    async def _refute(self, what: str, wanted: Callable[[ServerMessage], bool]) -> None:
        await self.socket.node.clock.settle()
        if (found := self.inbox.take(wanted)) is not None:
            raise AssertionError(f"{what} was not to come, but it did: {show_payload(found.payload)}")

    async def _wait(self, wanted: Callable[[ServerMessage], bool]) -> ServerMessage | None:
        found: list[ServerMessage] = []

        def came() -> bool:
            message = self.inbox.take(wanted)
            if message is not None:
                found.append(message)
            return bool(found)

        await self.socket.node.wait_for(came)
        return found[0] if found else None

    def _explain(self) -> str:
        return f"{self.inbox.show()}{self.socket.node.what_waits()}"


def _event(event: str, payload: Expected) -> Callable[[ServerMessage], bool]:
    return lambda message: is_push(message) and message.event == event and fits(payload, message.payload)


def _show(expected: Expected) -> str:
    if expected is ANY:
        return "any payload"
    return f"a payload that {expected!r} is true of" if callable(expected) else show_payload(expected)
