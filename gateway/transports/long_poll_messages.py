"""What long-poll requests and answers carry, as in Phoenix 1.8's LongPoll: batches in, the text of frames out. Pure."""

import base64
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from roost.gateway.clients.serializers import Served
from roost.gateway.custom_serializer import OwnLane
from roost.shared.frames import frame_payloads, is_text
from roost.shared.serializer import V2, Reply, Serializer, V2Serializer

MAX_BODY_BYTES: Final = 8_000_000
"""Of a POST; a larger one is answered 400 (Plug's `read_body`)."""
MAX_BATCH: Final = 100
"""Messages of one POST; those behind them are ignored. phoenix.js sends as many."""
NDJSON: Final = "application/x-ndjson"
"""The content type of a batch; with any other one the body is one message."""


class BadBatch(ValueError):
    """A part of a batch is neither JSON nor base64."""


class ClientMessage(NamedTuple):
    """What a client sent, as its WebSocket would have carried it."""

    data: bytes
    binary: bool


def read_body(body: bytes, content_type: str) -> list[ClientMessage]:
    """The messages of a POST. Raises BadBatch."""
    if content_type != NDJSON:
        return [ClientMessage(body, binary=False)]
    return [_part(part.removesuffix(b"\r")) for part in body.split(b"\n", MAX_BATCH)[:MAX_BATCH]]


def _part(part: bytes) -> ClientMessage:
    """V2's text begins with a bracket; anything else is a binary message in base64."""
    if part.startswith(b"["):
        return ClientMessage(part, binary=False)
    try:
        return ClientMessage(base64.b64decode(part, validate=True), binary=True)
    except ValueError:
        raise BadBatch("a line of a batch is a JSON array, or a binary message in base64") from None


def is_utf8(data: bytes) -> bool:
    """Whether it can be a text message."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def texts(frames: bytes) -> list[str]:
    """What text frames carry, one frame behind the other."""
    return [payload.decode() for payload in frame_payloads(frames)]


def answer(status: int, token: str | None = None, messages: Sequence[str] | None = None) -> bytes:
    """The body of an answer. Its `status` is what counts: that of the HTTP response is always 200."""
    body: dict[str, Any] = {"status": status}
    if token is not None:
        body |= {"token": token, "messages": messages or []}
    return msgspec.json.encode(body)


def require_text(frame: bytes) -> bytes:
    """The frame. Raises TypeError if it is a binary message: phoenix.js reads none in the answer to a poll."""
    if not is_text(frame):
        raise TypeError("this client polls, and a poll is not answered with binary messages")
    return frame


class TextOnlyV2(V2Serializer):
    """V2 for clients that poll: sending a binary message is an error, as in V1."""

    def push(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> bytes:
        return require_text(super().push(join_ref, ref, topic, event, payload))

    def reply(self, reply: Reply) -> bytes:
        return require_text(super().reply(reply))


class TextOnlyLane(OwnLane):
    """An application's serializer for clients that poll."""

    def push(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> bytes:
        return require_text(super().push(join_ref, ref, topic, event, payload))

    def reply(self, reply: Reply) -> bytes:
        return require_text(super().reply(reply))


_TEXT_ONLY_V2: Final = TextOnlyV2()


def serializers_for_polls(served: Served) -> Served:
    """What stands for serializers where a client polls."""
    return tuple((_text_only(serializer), requirement) for serializer, requirement in served)


def _text_only(serializer: Serializer) -> Serializer:
    if isinstance(serializer, OwnLane):
        return TextOnlyLane(serializer.serializer)
    return _TEXT_ONLY_V2 if serializer is V2 else serializer
