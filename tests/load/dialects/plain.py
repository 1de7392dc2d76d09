"""Texts that small servers understand without parsing: as long as Phoenix's, so that the same bytes are delivered."""

from tests.load.dialects.dialect import Dialogue, Framed, Refused, text_of
from tests.load.dialects.phoenix import topic_of
from tests.load.wire import TEXT


class Plain(Framed):
    """`jroom:000001` joins and is answered `ok`; what starts with `["` comes back, anything else goes to the room."""

    opcode = TEXT

    def join(self, room: int) -> Dialogue:
        answer = yield b"j" + topic_of(room).encode()
        if answer.payload != b"ok":
            raise Refused(answer.payload.decode(errors="replace"))

    def push(self, room: int, event: str, payload: bytes) -> bytes:
        refs = b'"1","5"' if event == "ping" else b"null,null"
        return b'[%b,"%b","%b",%b]' % (refs, topic_of(room).encode(), event.encode(), payload)

    def brings_about(self, delivery: bytes, room: int, event: str, payload: bytes) -> bool:
        return text_of(delivery) == self.push(room, event, payload)

    def topic(self, room: int) -> str:
        return topic_of(room)


class RoomInPath(Plain):
    """The same where the address names the room: there is nothing to say, and a room of one hears what it says."""

    def path(self, given: str, room: int) -> str:
        return f"{given}{topic_of(room)}"

    def join(self, _room: int) -> Dialogue:
        yield from ()
