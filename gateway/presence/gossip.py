"""What replicas of one presence tell each other over PubSub, and its bytes. Pure.

MessagePack arrays; `docs/wire.md` has them field by field.
"""

from typing import Final, NamedTuple

import msgspec

from roost.gateway.presence.entries import Part
from roost.shared.topics import PRESENCE


class BadGossip(ValueError):
    """The bytes are no message of a replica."""


class _Gossip(msgspec.Struct, array_like=True, frozen=True, gc=False):
    sender: str
    """The replica that says it."""


class Heartbeat(_Gossip, tag=1, frozen=True):
    """To all: I live, I know so much, and this is what I have not told you yet."""

    clock: dict[str, int]
    delta: Part | None = None
    greets: bool = False
    """Whether the sender is new and wants to hear from everybody."""


class TransferRequest(_Gossip, tag=2, frozen=True):
    """To one: tell me what I lack. I know so much."""

    clock: dict[str, int]
    clouds: dict[str, list[int]] = {}


class Transfer(_Gossip, tag=3, frozen=True):
    """To one: a part of what it lacks."""

    part: Part


class Farewell(_Gossip, tag=4, frozen=True):
    """To all: I go and never come back."""


Gossip = Heartbeat | TransferRequest | Transfer | Farewell

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Gossip]] = msgspec.msgpack.Decoder(Gossip)


class Outgoing(NamedTuple):
    """A message to send: to one replica, or to all."""

    to: str | None
    message: Gossip


def encode_gossip(message: Gossip) -> bytes:
    """A message as it is published."""
    return _encoder.encode(message)


def decode_gossip(data: bytes) -> Gossip:
    """A message of another replica. Raises BadGossip."""
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadGossip(str(error)) from None


def topic_of_all(presence: str) -> str:
    """Where all replicas of a presence subscribe."""
    return f"{PRESENCE}{presence}"


def topic_of_one(presence: str, replica: str) -> str:
    """Where one replica subscribes."""
    return f"{PRESENCE}{presence}:{replica}"
