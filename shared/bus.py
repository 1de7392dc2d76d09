"""The messages between gateways and shards, and their bytes. Pure.

Each way, what one turn of a process has to tell another travels as one *parcel*: a version byte, then a
MessagePack array. `docs/wire.md` has it byte by byte. A parcel carries the session's number and a counter from 0
without gaps, because libzmq reconnects silently and may lose what it had written.
"""

from array import array
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, TypeVar

import msgspec

VERSION: Final = 1
_VERSION_BYTE: Final = bytes([VERSION])

T = TypeVar("T")


class BadParcel(ValueError):
    """The bytes are no parcel of this version; what the peer sent next is not to be believed either."""


class Lane(IntEnum):
    """How what is broadcast must be encoded for a subscriber."""

    LETTER = 0
    """As a message to code in the worker, not as a frame."""
    V1 = 1
    """A text frame of Phoenix's V1 serializer."""
    V2 = 2
    """A text or binary frame of Phoenix's V2 serializer."""
    V1_DEFLATE = 3
    """As V1, for clients with whom permessage-deflate is agreed."""
    V2_DEFLATE = 4
    """As V2, for clients with whom permessage-deflate is agreed."""


PLAIN: Final = {Lane.V1_DEFLATE: Lane.V1, Lane.V2_DEFLATE: Lane.V2}
"""The lane whose frames are compressed for a lane."""


class Form(IntEnum):
    """What a published payload is."""

    JSON = 0
    """The payload of an event, as JSON text."""
    BINARY = 1
    """The payload of an event, as it is."""
    PLAIN = 2
    """No event: a message from code to code, as MessagePack."""


class Reach(IntEnum):
    """How far a publish goes."""

    CLUSTER = 0
    """To the subscribers of all nodes; where there is one node, to its own."""
    NODE = 1
    """To the subscribers of the publisher's node alone."""


TRACED: Final = 1
"""The lowest bit of `trace`: somebody follows this publish on its way (`roost trace`)."""


class _Item(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One message inside a parcel."""


# Worker to shard


class Subscribe(_Item, tag=1, frozen=True):
    """Put a subscriber of this worker into a topic. Answered by `Subscribed`, quoting the subscriber's number."""

    subscriber: int
    topic: str
    lane: Lane
    intercepts: tuple[str, ...] = ()
    """Events that this subscriber wants as letters, whatever its lane."""


class Unsubscribe(_Item, tag=2, frozen=True):
    """Take a subscriber of this worker out of its topic."""

    subscriber: int


class Publish(_Item, tag=3, frozen=True):
    """Number `number` of this publisher, for all subscribers of the topic but `sender`."""

    number: int
    topic: str
    form: Form
    event: str
    payload: bytes
    sender: int = 0
    """A subscriber of the publisher's worker that is left out; 0 for none."""
    trace: int = 0
    """When it was published, if its way is timed: nanoseconds of the machine's monotonic clock; 0 if it is not.

    The lowest bit is no time, see `TRACED`.
    """
    reach: Reach = Reach.CLUSTER


class Hello(_Item, tag=4, frozen=True):
    """The first message of a session: all subscriptions of this worker that belong to the slot."""

    subscriptions: tuple[Subscribe, ...]


class Ping(_Item, tag=5, frozen=True):
    """Answered by `Pong`; shows a hole in the stream when nothing else would."""


ToShard = Hello | Subscribe | Unsubscribe | Publish | Ping


class ShardParcel(msgspec.Struct, array_like=True, gc=False):
    """What one turn of a worker's loop tells one shard."""

    session: int
    counter: int
    got: int
    """The last turn of this incarnation that the worker has handed over: acknowledges all up to it."""
    items: list[ToShard]


# Shard to worker


class Gather(_Item, tag=1, frozen=True):
    """From now on audience `audience` is these subscribers of the receiving worker."""

    audience: int
    topic: str
    lane: Lane
    members: bytes
    """Subscriber numbers, packed by `pack_numbers`."""


class Change(_Item, tag=2, frozen=True):
    """Subscribers that came into an audience and that left it since it was last told."""

    audience: int
    joined: bytes
    left: bytes


class Disband(_Item, tag=3, frozen=True):
    """The audience is no more; its number will not come again."""

    audience: int


class Entry(_Item, frozen=True):
    """One published message, with all that the receiving worker has to hand over because of it."""

    publisher: int
    number: int
    sender: int
    """The subscriber that is left out, if it is one of the receiving worker; else 0."""
    frames: tuple[tuple[int, bytes], ...]
    """For each audience a complete WebSocket frame."""
    letters: tuple[tuple[int, bytes], ...] = ()
    """For each audience a `Letter`, encoded."""
    trace: int = 0


class Batch(_Item, tag=4, frozen=True):
    """All that a turn of the shard has for one worker: changes of audiences first, then entries in order."""

    turn: int
    audiences: tuple[Gather | Change | Disband, ...]
    entries: tuple[Entry, ...]


class Welcome(_Item, tag=5, frozen=True):
    """Answers `Hello` and confirms all of its subscriptions."""


class Subscribed(_Item, tag=6, frozen=True):
    """The subscriber stands in its topic."""

    subscriber: int


class Pong(_Item, tag=7, frozen=True):
    """Answers `Ping`."""


class Reset(_Item, tag=8, frozen=True):
    """The shard does not believe this session any more: begin a new one."""


ToWorker = Welcome | Subscribed | Batch | Pong | Reset


class WorkerParcel(msgspec.Struct, array_like=True, gc=False):
    """What one turn of a shard tells one worker."""

    session: int
    counter: int
    through: int
    """The worker's publishes up to this number have been handed over by every receiver."""
    items: list[ToWorker]


class Letter(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A published message for code in a worker."""

    form: Form
    event: str
    payload: bytes


_encoder = msgspec.msgpack.Encoder()
_shard_parcels = msgspec.msgpack.Decoder(ShardParcel)
_worker_parcels = msgspec.msgpack.Decoder(WorkerParcel)
_letters = msgspec.msgpack.Decoder(Letter)


def encode_parcel(session: int, counter: int, mark: int, items: Sequence[ToShard | ToWorker | msgspec.Raw]) -> bytes:
    """A parcel of either direction; `mark` is `got` or `through`. Items that are kept come encoded, as Raw."""
    return _VERSION_BYTE + _encoder.encode((session, counter, mark, items))


def encode_item(item: ToShard | ToWorker) -> tuple[msgspec.Raw, int]:
    """An item as it will stand in its parcel, for those that are kept and may be sent again; and its size in bytes."""
    data = _encoder.encode(item)
    return msgspec.Raw(data), len(data)


def decode_shard_parcel(data: bytes) -> ShardParcel:
    """What a shard received. Raises BadParcel."""
    return _decode(_shard_parcels, data)


def decode_worker_parcel(data: bytes) -> WorkerParcel:
    """What a worker received. Raises BadParcel."""
    return _decode(_worker_parcels, data)


def encode_letter(letter: Letter) -> bytes:
    """A letter as it stands in an entry."""
    return _encoder.encode(letter)


def decode_letter(data: bytes) -> Letter:
    """A letter from an entry. Raises BadParcel."""
    return _decode_body(_letters, data)


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Numbers as 64-bit words in this machine's byte order: the bus never leaves the machine."""
    return array("Q", numbers).tobytes()


def unpack_numbers(packed: bytes) -> "array[int]":
    """The numbers of `pack_numbers`. Raises BadParcel."""
    numbers = array("Q")
    try:
        numbers.frombytes(packed)
    except ValueError:
        raise BadParcel(f"{len(packed)} bytes are no list of 64-bit numbers") from None
    return numbers


def _decode(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    if data[:1] != _VERSION_BYTE:
        raise BadParcel(f"a parcel of version {VERSION} was expected, this one begins {data[:1]!r}")
    return _decode_body(decoder, memoryview(data)[1:])


def _decode_body(decoder: msgspec.msgpack.Decoder[T], data: bytes | memoryview) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadParcel(str(error)) from None
