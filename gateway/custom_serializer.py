"""What an application derives from to speak a version of the protocol that is its own, beside V1 and V2. Pure."""

from abc import ABC, abstractmethod
from typing import Any, Final

import msgspec

from roost.shared.bus import Form, Lane, Letter, decode_letter
from roost.shared.frames import binary_frame, text_frame
from roost.shared.message_limits import check_fields
from roost.shared.serializer import BadClientMessage, Message, Raw, Reply, encode_json, encode_map


class Serializer(ABC):
    """Turns messages into what a client reads, and back (`Phoenix.Socket.Serializer`).

    Payloads are plain data, or `bytes` where a channel sends bytes. A `str` is sent as a text message, `bytes` as a
    binary one.
    """

    @abstractmethod
    def encode(self, message: Message) -> str | bytes:
        """What is sent: pushes, replies (event `phx_reply`, payload `{"status": ..., "response": ...}`), broadcasts.

        A broadcast has neither ref nor join_ref. It is encoded once, however many clients there are.
        """

    @abstractmethod
    def decode(self, data: str | bytes) -> Message:
        """What a client has sent. Whatever is raised closes its connection with 1011."""


class OwnLane:
    """An application's serializer as channels use it: broadcasts reach its clients as letters to their worker."""

    lane: Final = Lane.LETTER

    def __init__(self, serializer: Serializer) -> None:
        self.serializer = serializer
        self._last: tuple[bytes, bytes | None] = (b"", None)

    def decode(self, data: bytes, binary: bool) -> Message:
        """A client's message, its payload as JSON text or bytes. Raises BadClientMessage."""
        try:
            message = self.serializer.decode(data if binary else data.decode())
            # Topics go to shards, all of these come back to clients: half a surrogate, which Python's json lets pass,
            # must not get that far.
            encode_json((message.join_ref, message.ref, message.topic, message.event))
            check_fields(message)  # whatever the length of what they were read from
            payload: Any = message.payload
            if not isinstance(payload, Raw | bytes):
                message.payload = Raw(encode_json(payload))
        except Exception as error:
            raise BadClientMessage(f"{type(self.serializer).__name__} cannot decode it: {error!r}") from error
        return message

    def push(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> bytes:
        """The frame of a message to the client. Raises NotAMap, TypeError or ValueError."""
        plain = payload if isinstance(payload, bytes) else msgspec.json.decode(encode_map(payload))
        return self._frame(Message(join_ref, ref, topic, event, plain))

    def reply(self, reply: Reply) -> bytes:
        """The frame of a reply. Raises TypeError or ValueError."""
        response = reply.response
        plain = response if isinstance(response, bytes) else msgspec.json.decode(encode_json(response))
        payload: Any = {"status": reply.status, "response": plain}
        return self._frame(Message(reply.join_ref, reply.ref, reply.topic, "phx_reply", payload))

    def broadcast(self, topic: str, letter: bytes, intercepts: tuple[str, ...]) -> tuple[bool, bytes | None]:
        """Whether a letter is a broadcast that goes to the client as it is, and its frame if it can be encoded.

        A worker hands one letter to all its subscribers, one after another: it is encoded for the first, who also
        hears of it if that fails. Raises whatever `encode` raises.
        """
        opened = decode_letter(letter)
        if opened.form == Form.PLAIN or opened.event in intercepts:
            return False, None
        if self._last[0] is not letter:
            self._last = letter, None
            self._last = letter, self._broadcast_frame(topic, opened)
        return True, self._last[1]

    def _broadcast_frame(self, topic: str, opened: Letter) -> bytes:
        binary = opened.form == Form.BINARY
        payload = bytes(opened.payload) if binary else msgspec.json.decode(opened.payload)
        return self._frame(Message(None, None, topic, opened.event, payload))

    def _frame(self, message: Message) -> bytes:
        data = self.serializer.encode(message)
        return text_frame(data.encode()) if isinstance(data, str) else binary_frame(data)
