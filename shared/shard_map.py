"""The shard map: which epochs there are, which incarnation holds each slot, where to publish. Pure.

The map is one file, replaced by rename and written by the broker alone. Every process reads it; none needs to
have seen an earlier version.
"""

from typing import NamedTuple

import msgspec


class Slot(NamedTuple):
    """Table `number` of epoch `epoch`. A slot keeps its place while the process that holds it is replaced."""

    epoch: int
    number: int

    def __str__(self) -> str:
        return f"{self.epoch}/{self.number}"


class ShardMap(msgspec.Struct, frozen=True):
    """One version of the map. Epoch numbers are never reused, not even after an abort; hence `next_epoch`."""

    version: int
    next_epoch: int
    publish: int
    """The epoch in which workers publish."""
    epochs: dict[int, tuple[int, ...]]
    """For each epoch the incarnation number of each of its slots."""

    def slots(self) -> dict[Slot, int]:
        """Every slot of every epoch with the incarnation that holds it."""
        return {
            Slot(epoch, number): incarnation
            for epoch, incarnations in self.epochs.items()
            for number, incarnation in enumerate(incarnations)
        }

    def incarnation(self, slot: Slot) -> int | None:
        """The incarnation that holds the slot, None if the map does not name the slot."""
        incarnations = self.epochs.get(slot.epoch, ())
        return incarnations[slot.number] if slot.number < len(incarnations) else None

    def owner(self, epoch: int, subscriber_hash: int) -> Slot:
        """The slot of `epoch` that holds the subscriptions of one client, by its 32-bit phash2."""
        return Slot(epoch, subscriber_hash % len(self.epochs[epoch]))


EMPTY = ShardMap(version=0, next_epoch=0, publish=-1, epochs={})
"""The map before there is a node: no epoch to publish in."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ShardMap)


def encode_map(shard_map: ShardMap) -> bytes:
    """The map as it stands in its file."""
    return _encoder.encode(shard_map)


def decode_map(data: bytes) -> ShardMap:
    """The map from its file. Raises `msgspec.DecodeError` if the file holds anything else."""
    return _decoder.decode(data)
