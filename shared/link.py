"""One stream of control messages between two of our processes: tell, ask, answer. No decisions here."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, Final, NoReturn, Self, TypeVar

import msgspec

from roost.shared.control import Message
from roost.shared.envelopes import Answer, Ask, BadEnvelope, Envelope, Envelopes, Refusal, Tell, encode_envelope

T = TypeVar("T")
READ_BYTES: Final = 256 * 1024

_log = logging.getLogger("roost.link")


class LinkClosed(Exception):
    """The other end is gone."""


class Refused(Exception):
    """The question is not answered; the text is one sentence that says why."""


def _ignore(_: Message) -> None:
    """What is told means nothing here."""


async def _refuse(_: Message) -> NoReturn:
    raise Refused("this end of the link answers no questions")


class Link:
    """Our end of the stream. `serve` must run for answers to arrive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """A link over one end of a socket pair."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    @classmethod
    async def to(cls, path: str) -> Self:
        """A link to whoever listens on a Unix socket. Raises OSError."""
        return cls(*await asyncio.open_unix_connection(path))

    def tell(self, message: Message) -> None:
        """Send a message that wants no answer. To a closed link it goes nowhere."""
        self._send(Tell(message))

    async def ask(self, message: Message, answer: type[T], limit: float | None) -> T:
        """Send a question and wait at most `limit` seconds, with None for ever.

        Raises Refused, LinkClosed, TimeoutError.
        """
        if self._closed:
            raise LinkClosed
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(Ask(number, message))
            async with asyncio.timeout(limit):
                return msgspec.convert(await future, answer)
        finally:
            del self._asked[number]

    async def serve(
        self,
        told: Callable[[Message], None] = _ignore,
        asked: Callable[[Message], Awaitable[Any]] = _refuse,
    ) -> None:
        """Hand what arrives to `told` and `asked` until the other end is gone. Who only asks needs neither."""
        envelopes = Envelopes()
        try:
            while data := await self._reader.read(READ_BYTES):
                for envelope in envelopes.feed(data):
                    self._take(envelope, told, asked)
        except ConnectionError:
            pass
        except BadEnvelope as error:
            _log.warning("closing a control link: %s", error)
        finally:
            self.close()

    def close(self) -> None:
        """End the stream; questions under way raise LinkClosed."""
        self._closed = True
        self._writer.close()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(LinkClosed())

    def _take(
        self,
        envelope: Envelope,
        told: Callable[[Message], None],
        asked: Callable[[Message], Awaitable[Any]],
    ) -> None:
        match envelope:
            case Tell(message):
                told(message)
            case Ask(number, message):
                task = asyncio.ensure_future(self._answer(number, asked(message)))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            case Answer(number, value):
                if (future := self._asked.get(number)) and not future.done():
                    future.set_result(value)
            case Refusal(number, reason):
                if (future := self._asked.get(number)) and not future.done():
                    future.set_exception(Refused(reason))

    async def _answer(self, number: int, answer: Awaitable[Any]) -> None:
        try:
            self._send(Answer(number, await answer))
        except Refused as refusal:
            self._send(Refusal(number, str(refusal)))
        except Exception:  # noqa: BLE001 - one question that fails must not end the link
            _log.exception("a control question could not be answered")
            self._send(Refusal(number, "it failed; its log has the reason"))

    def _send(self, envelope: Envelope) -> None:
        if not self._closed:
            self._writer.write(encode_envelope(envelope))
