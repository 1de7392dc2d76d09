"""Phoenix's protocol, version 2."""

import json

import msgspec

from tests.load.dialects.dialect import Dialogue, Framed, Refused, text_of
from tests.load.wire import TEXT


def topic_of(room: int) -> str:
    """The topic of a room; all topics are as long."""
    return f"room:{room:06d}"


def join_text(topic: str, ref: int = 1) -> bytes:
    return b'["%d","%d","%b","phx_join",{}]' % (ref, ref, topic.encode())


def leave_text(topic: str, join_ref: int) -> bytes:
    return b'["%d","%d","%b","phx_leave",{}]' % (join_ref, join_ref, topic.encode())


def lobby_of(room: int) -> str:
    """Where those who visit a room are present."""
    return f"lobby:{room:06d}"


def lobby_join_text(room: int, user: int) -> bytes:
    return b'["0","0","%b","phx_join",{"user":%d}]' % (lobby_of(room).encode(), user)


def heartbeat_text() -> bytes:
    return b'[null,"9","phoenix","heartbeat",{}]'


class Phoenix(Framed):
    """Rooms are channels; what is pushed is broadcast, and a ping is replied to."""

    opcode = TEXT

    def join(self, room: int) -> Dialogue:
        frame = yield join_text(topic_of(room))
        while True:
            _, _, _, event, payload = msgspec.json.decode(frame.payload)
            if event == "phx_reply":
                if payload["status"] != "ok":
                    raise Refused(frame.payload.decode())
                return
            frame = yield b""

    def push(self, room: int, event: str, payload: bytes) -> bytes:
        return b'["1","5","%b","%b",%b]' % (topic_of(room).encode(), event.encode(), payload)

    def brings_about(self, delivery: bytes, room: int, event: str, payload: bytes) -> bool:
        message = json.loads(text_of(delivery) or b"[]")
        body = {"status": "ok", "response": json.loads(payload)}
        topic = topic_of(room)
        return message[2:] in ([topic, event, json.loads(payload)], [topic, "phx_reply", body])

    def topic(self, room: int) -> str:
        return topic_of(room)
