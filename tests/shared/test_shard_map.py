"""The shard map: its slots, its owners, its file."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.phash2 import hash32, phash2
from roost.shared.shard_map import EMPTY, ShardMap, Slot, decode_map, encode_map

numbers = st.integers(0, 2**53)
epochs = st.dictionaries(st.integers(0, 9), st.lists(numbers, min_size=1, max_size=5).map(tuple), max_size=3)
maps = st.builds(ShardMap, numbers, numbers, st.integers(-1, 9), epochs)


@given(maps)
def test_a_map_is_the_same_after_its_file(shard_map: ShardMap) -> None:
    assert decode_map(encode_map(shard_map)) == shard_map


@given(maps)
def test_every_slot_is_named_with_its_incarnation(shard_map: ShardMap) -> None:
    slots = shard_map.slots()
    assert len(slots) == sum(len(incarnations) for incarnations in shard_map.epochs.values())
    assert all(shard_map.incarnation(slot) == incarnation for slot, incarnation in slots.items())
    for epoch, incarnations in shard_map.epochs.items():
        assert shard_map.incarnation(Slot(epoch, len(incarnations))) is None
    assert shard_map.incarnation(Slot(10, 0)) is None


@given(maps, st.integers(0, 2**63))
def test_a_subscriber_is_owned_by_phash2_over_the_epochs_slots(shard_map: ShardMap, client: int) -> None:
    for epoch, incarnations in shard_map.epochs.items():
        owner = shard_map.owner(epoch, hash32(client))
        assert owner == Slot(epoch, phash2(client, len(incarnations)))
        assert owner in shard_map.slots()


def test_before_there_is_a_node_there_is_nowhere_to_publish() -> None:
    assert EMPTY.slots() == {}
    assert EMPTY.publish not in EMPTY.epochs


@given(st.binary() | maps.map(encode_map).map(lambda data: data[:-1]))
def test_a_file_that_is_no_map_is_refused(data: bytes) -> None:
    with suppress(msgspec.DecodeError):
        assert isinstance(decode_map(data), ShardMap)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"version":1,"next_epoch":1,"publish":0,"epochs":{"x":[1]}}'])
def test_files_that_are_no_map(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_map(data)


def test_slots_are_written_as_people_read_them() -> None:
    assert str(Slot(3, 1)) == "3/1"
