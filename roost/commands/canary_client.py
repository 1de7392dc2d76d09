"""One client of the canary: connects, joins, publishes, and tells the witness what it hears."""

import asyncio
import struct
from itertools import count
from typing import Final, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from roost.client.messages import HEARTBEAT_PERIOD
from roost.commands.canary_wire import (
    HEARTBEAT,
    Event,
    Frames,
    NotForClients,
    Numbered,
    Vocabulary,
    client_frame,
    close_frame,
    pong_frame,
)
from roost.commands.witness import Kind, Publisher, Subscriber, Witness
from roost.shared.frames import CloseCode

CONNECT_LIMIT: Final = 10.0
"""Seconds in which a connection opens."""
MAX_UNANSWERED: Final = 1_000
"""Messages of one client that wait for a reply; beyond them it publishes no more."""


class CannotConnect(Exception):
    """The server did not let the client in; the text says why."""


class CanaryClient(asyncio.Protocol):
    """One connection."""

    def __init__(self, url: str, name: str, vocabulary: Vocabulary, witness: Witness) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.worker = 0
        """The number of the worker that serves it, known when it has joined."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the connection is gone."""
        self.close_code: int | None = None
        """With which the server closed it; None if it just broke, as when a worker is killed."""
        self._loop = loop
        self._witness = witness
        self._vocabulary = vocabulary
        self._opening: asyncio.Future[None] = loop.create_future()
        self._handshake: ClientProtocol | None = ClientProtocol(parse_uri(url))
        self._frames = Frames()
        self._transport: asyncio.Transport
        self._refs = map(str, count(1))
        self._join_refs: dict[int, str] = {}
        self._waiting: dict[str, asyncio.Future[None]] = {}
        """Joins and leaves by ref."""
        self._unanswered: dict[str, int] = {}
        """Numbers published, by ref."""
        self._subscriber: Subscriber | None = None
        self._publisher: Publisher | None = None
        self._heartbeat: asyncio.TimerHandle | None = None

    # What it does

    async def opened(self) -> None:
        """Wait for the end of the handshake. Raises CannotConnect."""
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                await self._opening
        except TimeoutError:
            self._transport.abort()
            raise CannotConnect(f"no answer to the handshake within {CONNECT_LIMIT:g} s") from None
        self._subscriber = self._witness.subscriber(self.name)
        self._beat()

    async def join(self, topic: int) -> None:
        """Join; returns when that was answered, or when the connection is gone."""
        ref = self._join_refs[topic] = next(self._refs)
        await self._ask(topic, ref, self._vocabulary.join(topic, ref))

    async def leave(self, topic: int) -> None:
        """Leave; returns when that was answered, or when the connection is gone."""
        ref = next(self._refs)
        await self._ask(topic, ref, self._vocabulary.leave(topic, self._join_refs[topic], ref))

    def publish(self) -> None:
        """Publish the next number, unless too many wait for a reply or the connection is gone."""
        if self.closed.done() or len(self._unanswered) >= MAX_UNANSWERED:
            return
        if self._publisher is None:
            self._publisher = self._witness.publisher(self.name, self.worker)
        number = self._publisher.next_number()
        topic = number % self._witness.topics
        ref = next(self._refs)
        self._unanswered[ref] = number
        self._send(self._vocabulary.publish(topic, self._join_refs[topic], ref, self._publisher.identity, number))

    def close(self) -> None:
        """Go; what is owed to it has come."""
        if not self.closed.done():
            self._transport.write(close_frame(CloseCode.NORMAL))
            self._transport.close()

    async def _ask(self, topic: int, ref: str, text: bytes) -> None:
        if self._subscriber is None or self.closed.done():
            return
        self._subscriber.asked(topic)
        answered = self._waiting[ref] = self._loop.create_future()
        self._send(text)
        await answered

    def _send(self, text: bytes) -> None:
        self._transport.write(client_frame(text))

    def _beat(self) -> None:
        self._send(HEARTBEAT)
        self._heartbeat = self._loop.call_later(HEARTBEAT_PERIOD, self._beat)

    # Told by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        assert self._handshake is not None
        self._handshake.send_request(self._handshake.connect())
        self._transport.writelines(self._handshake.data_to_send())

    def data_received(self, data: bytes) -> None:
        if self._handshake is not None:
            self._shake_hands(self._handshake, data)
            return
        now = self._loop.time()
        try:
            for opcode, payload in self._frames.feed(data):
                if opcode == Opcode.TEXT:
                    self._receive(payload, now)
                elif opcode == Opcode.PING:
                    self._transport.write(pong_frame(payload))
                elif opcode == Opcode.CLOSE:
                    self._closing(payload)
        except NotForClients as error:
            self._witness.fault(Kind.UNDUE, f"{self.name} got what no client can read: {error}")
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._opening.done():
            self._opening.set_exception(CannotConnect(str(error or "the server closed the connection")))
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._subscriber is not None:
            self._subscriber.gone()
        if self._publisher is not None:
            self._publisher.end(graceful=self.close_code is not None)
        for answered in self._waiting.values():
            _wake(answered)
        if not self.closed.done():
            self.closed.set_result(None)

    # What arrives

    def _shake_hands(self, handshake: ClientProtocol, data: bytes) -> None:
        handshake.receive_data(data)
        for event in handshake.events_received():
            if isinstance(event, Response):
                self._handshake = None
                if handshake.handshake_exc is None:
                    self._opening.set_result(None)
                    return
                self._refused(handshake.handshake_exc)

    def _refused(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, InvalidHandshake) else repr(error)
        self._opening.set_exception(CannotConnect(reason))
        self._transport.close()

    def _receive(self, text: bytes, now: float) -> None:
        message = self._vocabulary.read(text)
        assert self._subscriber is not None
        if isinstance(message, Numbered):
            self._subscriber.heard(message.topic, message.publisher, message.number, now)
        elif message.topic is not None:
            self._told(self._subscriber, message.topic, message)

    def _told(self, subscriber: Subscriber, topic: int, message: Event) -> None:
        ref = message.ref or ""
        if message.event == "phx_reply" and message.payload.get("status") == "ok":
            if ref in self._unanswered:
                assert self._publisher is not None
                subscriber.answered(self._publisher, self._unanswered.pop(ref))
            elif ref == self._join_refs.get(topic):
                self.worker = message.payload["response"]["worker"]
                subscriber.joined(topic)
            else:
                subscriber.left(topic)
            if (answered := self._waiting.pop(ref, None)) is not None:
                _wake(answered)
        elif message.event != "phx_close":
            self._witness.fault(
                Kind.REFUSED, f"{self.name} was told {message.event} on topic {topic}: {message.payload}"
            )

    def _closing(self, payload: bytes) -> None:
        self.close_code = struct.unpack_from(">H", payload)[0] if len(payload) >= 2 else CloseCode.NORMAL
        self._transport.write(close_frame(self.close_code))
        self._transport.close()


def _wake(waiting: "asyncio.Future[None]") -> None:
    """Whoever waited may have been cancelled, as all are at the end."""
    if not waiting.done():
        waiting.set_result(None)


async def connect(host: str, port: int, url: str, name: str, vocabulary: Vocabulary, witness: Witness) -> CanaryClient:
    """A client whose handshake is done. Raises CannotConnect."""
    try:
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: CanaryClient(url, name, vocabulary, witness), host, port
        )
    except OSError as error:
        raise CannotConnect(error.strerror or str(error)) from None
    await client.opened()
    return client
