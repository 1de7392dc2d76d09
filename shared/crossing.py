"""What goes from node to node: topics in buckets, and a publish on its way. Pure."""

from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final

import msgspec

from roost.shared.bus import BadParcel, Form
from roost.shared.phash2 import phash2

BUCKETS: Final = 1024
"""Topics are spread over so many buckets; a node listens to those in which it has subscribers."""
NAMES_BYTES: Final = 4096
"""Room for topic and event in a message of the engine's greatest size; longer ones take of the payload's."""
MAX_KNOWN_TOPICS: Final = 65_536
"""Topics whose bucket is remembered; then the one that was asked for longest ago is hashed again."""


class PayloadTooLarge(ValueError):
    """What was to be published has more bytes than the engine between the nodes takes; the text has both numbers."""


def check_size(payload: bytes, limit: int, names: int = 0) -> None:
    """Raises PayloadTooLarge, before anything is published. `names`: characters of the topic and the event."""
    # Four bytes a character at most: short names, and nearly all are, need not be encoded for this.
    beyond = 4 * names - NAMES_BYTES
    if beyond > 0 and len(payload) + beyond > limit:
        raise PayloadTooLarge(
            f"a payload of {len(payload)} bytes with {names} characters of topic and event is too large for the other "
            f"nodes: {limit} bytes and {NAMES_BYTES // 4} characters are what the engine between them takes"
        )
    if len(payload) > limit:
        raise PayloadTooLarge(
            f"a payload of {len(payload)} bytes is too large for the other nodes: {limit} is what the engine between "
            "them takes; send less, or reach this node alone by local_broadcast"
        )


@lru_cache(MAX_KNOWN_TOPICS)
def bucket_of(topic: str) -> int:
    """The bucket of a topic: Erlang's phash2 of its UTF-8 text."""
    return phash2(topic.encode(), BUCKETS)


class Crossing(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A publish of one node on its way to the subscribers of others."""

    topic: str
    form: Form
    event: str
    payload: bytes


class Direct(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """From a worker to its node's bridge: a publish for the subscribers of one other node."""

    node: str
    crossing: Crossing


_encoder: Final = msgspec.msgpack.Encoder()
_crossing: Final = msgspec.msgpack.Decoder(Crossing)
_direct: Final = msgspec.msgpack.Decoder(Direct)


def encode_crossing(topic: str, form: Form, event: str, payload: bytes) -> bytes:
    """The letter that a subscriber of `TAP` is given."""
    return _encoder.encode(Crossing(topic, form, event, payload))


def decode_crossing(letter: bytes) -> Crossing:
    """Raises BadParcel."""
    try:
        return _crossing.decode(letter)
    except msgspec.MsgspecError as error:
        raise BadParcel(f"no publish for the cluster: {error}") from None


def encode_letter_of(crossing: Crossing) -> bytes:
    """The same letter, of a crossing that there is already."""
    return _encoder.encode(crossing)


def encode_direct(node: str, crossing: Crossing) -> bytes:
    """The payload of a publish on `BRIDGE`."""
    return _encoder.encode(Direct(node, crossing))


def decode_direct(payload: bytes) -> Direct:
    """Raises BadParcel."""
    try:
        return _direct.decode(payload)
    except msgspec.MsgspecError as error:
        raise BadParcel(f"no publish for one node: {error}") from None


def pack_buckets(buckets: AbstractSet[int]) -> bytes:
    """Buckets as a bit map of BUCKETS bits, bucket 0 in the lowest bit of the first byte."""
    bits = bytearray(BUCKETS // 8)
    for bucket in buckets:
        bits[bucket >> 3] |= 1 << (bucket & 7)
    return bytes(bits)


def bits_to_bytes(bits: int) -> bytes:
    """The bit map of the buckets whose bits are set in a number, bucket 0 the lowest."""
    return bits.to_bytes(BUCKETS // 8, "little")


def bits_of(buckets: bytes) -> int:
    """The number whose bits a bit map has: what `bits_to_bytes` was given."""
    return int.from_bytes(buckets, "little")


def unpack_buckets(bits: bytes) -> frozenset[int]:
    """The buckets of a bit map. Raises ValueError if it has another length."""
    if len(bits) != BUCKETS // 8:
        raise ValueError(f"{len(bits)} bytes are no map of {BUCKETS} buckets")
    return frozenset(bucket for bucket in range(BUCKETS) if bits[bucket >> 3] >> (bucket & 7) & 1)
