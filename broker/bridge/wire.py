"""What the nodes of a cluster tell each other, and its bytes. Pure.

A version byte, then a MessagePack array that begins with the message's kind; `docs/wire.md` has them field by field.
Within a version fields are only ever added, at the end and with a default.
"""

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from roost.shared.crossing import BUCKETS, Crossing

NEWEST: Final = 1
"""The version that this code writes if all can read it."""
OLDEST: Final = 1
"""The oldest version that this code reads: by rule the one before `NEWEST`, once there is one."""
BEAT_VERSION: Final = 1
"""Beats have a form that every version reads, for in them nodes tell which versions they read."""
MAX_HEAD_BYTES: Final = 1024
"""A message of publishes takes at most so much beside these: version, kind, names, numbers."""


_PUBLISHES, _DIRECTS, _BEAT = 1, 2, 3
"""Kinds of messages that are made or looked at by hand."""
_HEAD_BYTES: Final = 3
"""Version, the array's size and the kind: what stands before the origin."""
MAX_NUMBER: Final = 2**53
"""No number that nodes tell each other is greater."""

_Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]
_Bucket = Annotated[int, msgspec.Meta(ge=0, lt=BUCKETS)]
_Version = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_Release = Annotated[str, msgspec.Meta(max_length=64)]


class Unreadable(ValueError):
    """The bytes are of a version that this code does not know, or of none; or what they say cannot be."""


class Origin(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Who speaks: one life of one node's bridge."""

    node: _Name
    """The node's name."""
    node_id: _Name
    """That of its run directory."""
    run: _Number
    """Grows each time the node's bridge is started."""


class _Message(msgspec.Struct, array_like=True, frozen=True, gc=False):
    origin: Origin


class Publishes(_Message, tag=_PUBLISHES, frozen=True):
    """Publishes in topics of one bucket, numbered without gaps from `first`."""

    bucket: _Bucket
    first: _Number
    crossings: list[Crossing]


class Directs(_Message, tag=_DIRECTS, frozen=True):
    """Publishes for the receiving node alone, numbered from `first` for each such node."""

    first: _Number
    crossings: list[Crossing]


class Beat(_Message, tag=_BEAT, frozen=True):
    """Every second to everybody, the sender included: I am here."""

    number: _Number
    """Grows with each beat of a run."""
    oldest: _Version
    """The oldest version of these messages that the sender reads."""
    newest: _Version
    release: _Release
    """Roost's version."""
    numbers: dict[_Bucket, _Number]
    """By bucket, all in which anything was ever published: the last publish that was sent before this beat, or that
    will never be."""
    directs: dict[_Name, _Number]
    """The same of `Directs`, by the name of the node that they are for."""
    asks: bool = False
    """Whether the sender wants to hear everybody's beat at once."""
    on_trial: bool = False
    """Whether the sender only asks who is there, and is none of the nodes yet."""


class Goodbye(_Message, tag=4, frozen=True):
    """To everybody: I go, and nothing of what I published is held back."""


class Question(_Message, tag=5, frozen=True):
    """To one node: a control message that it is to answer as if it had been asked there."""

    number: _Number
    question: bytes


class Answer(_Message, tag=6, frozen=True):
    """To the node that asked: what it gets. If `refused`, a sentence instead of an answer."""

    number: _Number
    answer: bytes
    refused: str = ""


class Probe(_Message, tag=7, frozen=True):
    """To everybody: who hears this publishes in these buckets for the sender, too, from then on."""

    number: _Number
    buckets: list[_Bucket]


class Probed(_Message, tag=8, frozen=True):
    """To the node that asked: it was heard."""

    number: _Number
    numbers: dict[_Bucket, _Number]
    """By bucket: the last publish that was sent before this, or that will never be."""


Message = Publishes | Directs | Beat | Goodbye | Question | Answer | Probe | Probed

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(Message)


def encode(message: Message, version: int = NEWEST) -> bytes:
    """A message as it is handed to the engine."""
    return bytes([BEAT_VERSION if isinstance(message, Beat) else version]) + _encoder.encode(message)


def encode_publishes(
    origin: Origin, bucket: int | None, first: int, crossings: list[msgspec.Raw], version: int
) -> bytes:
    """`Publishes`, or without a bucket `Directs`, of publishes that are encoded already."""
    kind = (_DIRECTS, origin) if bucket is None else (_PUBLISHES, origin, bucket)
    return bytes([version]) + _encoder.encode((*kind, first, crossings))


def decode(data: bytes) -> Message:
    """What another node says. Raises Unreadable."""
    if not data or not OLDEST <= data[0] <= NEWEST:
        raise Unreadable(f"a message of version {data[0] if data else 'none'}; this node reads {OLDEST} to {NEWEST}")
    try:
        message = _decoder.decode(memoryview(data)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"no message of version {data[0]}: {error}") from None
    origin = message.origin
    if not (origin.node.isprintable() and origin.node_id.isprintable()):
        raise Unreadable(f"a message of {origin.node!r}, which is no name of a node")
    if isinstance(message, Beat) and not message.release.isprintable():
        raise Unreadable(f"a beat of {origin.node} that names {message.release!r} as its release")
    return message


def is_echo(data: bytes, origin: bytes) -> bool:
    """Whether a message comes from this origin, itself as MessagePack, and is no beat: a beat that came back tells."""
    return data[_HEAD_BYTES : _HEAD_BYTES + len(origin)] == origin and data[_HEAD_BYTES - 1] != _BEAT


def common_version(ranges: Iterable[tuple[int, int]]) -> int:
    """The highest version that nodes of these ranges all read, this one included; its own newest if there is none."""
    newest = min([NEWEST, *(newest for _, newest in ranges)])
    return newest if newest >= OLDEST else NEWEST
