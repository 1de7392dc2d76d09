"""What control messages travel in: told, asked by number, answered or refused under it. Pure.

Over Unix stream sockets, each envelope as four bytes of length (big-endian) and a MessagePack map.
"""

import struct
from typing import Any, Final

import msgspec

from roost.shared.control import Message

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""A longer message ends the link: whoever sent it is none of ours."""
_LENGTH: Final = struct.Struct(">I")


class BadEnvelope(ValueError):
    """The bytes are no control message; the link they came from is to be closed."""


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """A message that wants no answer."""

    message: Message


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A message that wants an answer under its number."""

    number: int
    message: Message


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The answer to the question of that number."""

    number: int
    value: Any


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """Why the question of that number is not answered, in a sentence."""

    number: int
    reason: str


Envelope = Tell | Ask | Answer | Refusal

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Envelope)
_message_decoder = msgspec.msgpack.Decoder(Message)


def encode_envelope(envelope: Envelope) -> bytes:
    """An envelope with its length in front."""
    body = _encoder.encode(envelope)
    return _LENGTH.pack(len(body)) + body


def encode_message(message: Message) -> bytes:
    """A control message that travels inside of another one."""
    return _encoder.encode(message)


def decode_message(data: bytes) -> Message:
    """The message. Raises BadEnvelope."""
    try:
        message: Message = _message_decoder.decode(data)
        return message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEnvelope(str(error)) from None


class Envelopes:
    """Cuts a byte stream into envelopes."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def missing(self) -> int:
        """Bytes up to the end of the length, or else of the envelope, that is being read."""
        have = len(self._buffer)
        if have < _LENGTH.size:
            return _LENGTH.size - have
        (length,) = _LENGTH.unpack_from(self._buffer)
        return _LENGTH.size + int(length) - have

    def feed(self, data: bytes) -> list[Envelope]:
        """The envelopes that are whole with these bytes. Raises BadEnvelope."""
        buffer = self._buffer
        buffer += data
        envelopes = []
        while len(buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > MAX_MESSAGE_BYTES:
                raise BadEnvelope(f"a message of {length} bytes; {MAX_MESSAGE_BYTES} are allowed")
            end = _LENGTH.size + length
            if len(buffer) < end:
                break
            envelopes.append(_decode(bytes(buffer[_LENGTH.size : end])))
            del buffer[:end]
        return envelopes


def _decode(body: bytes) -> Envelope:
    try:
        envelope: Envelope = _decoder.decode(body)
        return envelope
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadEnvelope(str(error)) from None
