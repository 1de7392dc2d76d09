"""What the canary's clients write and read: Phoenix's V2 protocol from the client's side. Pure.

A server's frames are never fragmented and never masked (`docs/wire.md`), so they are cut here, by the million; what
clients write is rare and is left to the websockets library.
"""

import re
from typing import Any, Final, NamedTuple

import msgspec
from websockets.frames import Close, Frame, Opcode

from roost.shared.canary import NUMBERED, PUBLISH, canary_topic

HEARTBEAT: Final = b'[null,"0","phoenix","heartbeat",{}]'


class NotForClients(ValueError):
    """What a server sent is nothing that a client can read."""


class Numbered(NamedTuple):
    """One canary message."""

    topic: int
    publisher: int
    number: int


class Event(NamedTuple):
    """Any other message of the server: a reply, the end of a channel."""

    topic: int | None
    """Which of the canary's topics; None for all others."""
    ref: str | None
    event: str
    payload: dict[str, Any]


class Vocabulary:
    """The messages of one run: its topics have a name of their own, so that two runs do not hear each other."""

    def __init__(self, run: str) -> None:
        self._run = run
        prefix = re.escape(msgspec.json.encode(canary_topic(run, 0))[:-2])
        self._numbered = re.compile(
            rb'\[null,null,%b(\d+)","%b",\{"p":(\d+),"n":(\d+)\}\]' % (prefix, NUMBERED.encode())
        )
        self._topics: dict[str, int] = {}

    def join(self, topic: int, ref: str) -> bytes:
        """Ask to join; `ref` is a number that the connection has not used before."""
        return self._message(ref, ref, topic, "phx_join", msgspec.Raw(b"{}"))

    def leave(self, topic: int, join_ref: str, ref: str) -> bytes:
        """Ask to leave."""
        return self._message(join_ref, ref, topic, "phx_leave", msgspec.Raw(b"{}"))

    def publish(self, topic: int, join_ref: str, ref: str, publisher: int, number: int) -> bytes:
        """Have a number broadcast."""
        return self._message(join_ref, ref, topic, PUBLISH, msgspec.Raw(b'{"p":%d,"n":%d}' % (publisher, number)))

    def read(self, text: bytes) -> Numbered | Event:
        """A message of the server. Raises NotForClients."""
        found = self._numbered.fullmatch(text)
        if found is not None:
            topic, publisher, number = found.groups()
            return Numbered(int(topic), int(publisher), int(number))
        try:
            _, ref, topic_name, event, payload = msgspec.json.decode(text)
        except ValueError as error:
            raise NotForClients(f"{text!r}: {error}") from None
        return Event(self._topics.get(topic_name), ref, event, payload)

    def _message(self, join_ref: str, ref: str, topic: int, event: str, payload: msgspec.Raw) -> bytes:
        name = canary_topic(self._run, topic)
        self._topics[name] = topic
        return msgspec.json.encode((join_ref, ref, name, event, payload))


def client_frame(text: bytes) -> bytes:
    """A text message in one masked frame."""
    return Frame(Opcode.TEXT, text).serialize(mask=True)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping."""
    return Frame(Opcode.PONG, payload).serialize(mask=True)


def close_frame(code: int) -> bytes:
    """The beginning of the closing handshake, or its end."""
    return Frame(Opcode.CLOSE, Close(code, "").serialize()).serialize(mask=True)


class Frames:
    """Cuts what a server sends into frames."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The opcodes and payloads of the frames that are whole with these bytes. Raises NotForClients."""
        if self._rest:
            data = self._rest + data
        frames = []
        position, end = 0, len(data)
        while end - position >= 2:
            first, length = data[position], data[position + 1]
            start = position + 2
            if length > 125:
                width = _WIDTHS.get(length)
                if width is None:
                    raise NotForClients("a masked frame from a server")
                start += width
                length = int.from_bytes(data[start - width : start]) if start <= end else end
            if start + length > end:
                break
            if first & 0xF0 != 0x80:
                raise NotForClients(f"a frame that begins with 0x{first:02x}")
            position = start + length
            frames.append((first & 0x0F, data[start:position]))
        self._rest = data[position:]
        return frames


_WIDTHS: Final = {126: 2, 127: 8}
"""Bytes of the length that follows."""
