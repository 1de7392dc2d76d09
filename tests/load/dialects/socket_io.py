"""Socket.IO's protocol, version 5, in Engine.IO's, version 4."""

import json
from typing import Final

from tests.load.dialects.dialect import Dialogue, Framed, Refused, text_of
from tests.load.dialects.phoenix import topic_of
from tests.load.wire import TEXT

_OPENED: Final = b"0"
_CONNECTED: Final = b"40"
_ACKNOWLEDGED: Final = b"43"


class SocketIO(Framed):
    """Joining is an event that is acknowledged, as a ping is; a message is emitted to the room as another event."""

    opcode = TEXT

    def join(self, room: int) -> Dialogue:
        yield from _until(_OPENED, b"")
        yield from _until(_CONNECTED, b"40")
        yield from _until(_ACKNOWLEDGED, b'420["join","%b"]' % topic_of(room).encode())

    def push(self, _room: int, event: str, payload: bytes) -> bytes:
        kind = b"425" if event == "ping" else b"42"
        return b'%b["%b",%b]' % (kind, event.encode(), payload)

    def brings_about(self, delivery: bytes, _room: int, event: str, payload: bytes) -> bool:
        told, body = text_of(delivery), json.loads(payload)
        if event == "ping":
            return told[:3] == b"435" and json.loads(told[3:]) == [body]
        return told[:2] == b"42" and json.loads(told[2:]) == [event, body]

    def topic(self, room: int) -> str:
        return topic_of(room)


def _until(kind: bytes, saying: bytes) -> Dialogue:
    """Say it and wait for a packet of this kind."""
    frame = yield saying
    while not frame.payload.startswith(kind):
        if frame.payload.startswith((b"44", b"41", b"1")):
            raise Refused(frame.payload.decode(errors="replace"))
        frame = yield b""
