"""Parcels between gateways and shards: what goes in comes out, and no bytes do worse than BadParcel."""

import string
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared import bus
from roost.shared.bus import BadParcel, Form, Lane
from tests.shared.json_values import text

numbers = st.integers(0, 2**63 - 1)
lanes = st.sampled_from(Lane)
forms = st.sampled_from(Form)
packed = st.lists(st.integers(0, 2**64 - 1), max_size=5).map(bus.pack_numbers)
encoded = st.lists(st.tuples(numbers, st.binary(max_size=40)), max_size=3).map(tuple)

subscribes = st.builds(bus.Subscribe, numbers, text, lanes, st.lists(text, max_size=3).map(tuple))
to_shard = st.one_of(
    subscribes,
    st.builds(bus.Unsubscribe, numbers),
    st.builds(bus.Publish, numbers, text, forms, text, st.binary(max_size=40), numbers, numbers),
    st.builds(bus.Hello, st.lists(subscribes, max_size=3).map(tuple)),
    st.builds(bus.Ping),
)

audience_news = st.one_of(
    st.builds(bus.Gather, numbers, text, lanes, packed),
    st.builds(bus.Change, numbers, packed, packed),
    st.builds(bus.Disband, numbers),
)
entries = st.builds(bus.Entry, numbers, numbers, numbers, encoded, encoded, numbers)
to_worker = st.one_of(
    st.builds(bus.Batch, numbers, st.lists(audience_news, max_size=3).map(tuple), st.lists(entries).map(tuple)),
    st.builds(bus.Welcome),
    st.builds(bus.Subscribed, numbers),
    st.builds(bus.Pong),
    st.builds(bus.Reset),
)


@given(numbers, numbers, numbers, st.lists(to_shard))
def test_shard_parcels_come_out_as_they_went_in(session: int, counter: int, got: int, items: list[Any]) -> None:
    parcel = bus.decode_shard_parcel(bus.encode_parcel(session, counter, got, items))
    assert parcel == bus.ShardParcel(session, counter, got, items)


@given(numbers, numbers, numbers, st.lists(to_worker))
def test_worker_parcels_come_out_as_they_went_in(session: int, counter: int, through: int, items: list[Any]) -> None:
    parcel = bus.decode_worker_parcel(bus.encode_parcel(session, counter, through, items))
    assert parcel == bus.WorkerParcel(session, counter, through, items)


@given(st.lists(to_shard))
def test_items_encoded_beforehand_are_the_same_items(items: list[Any]) -> None:
    kept = [bus.encode_item(item)[0] for item in items]
    assert bus.encode_parcel(1, 2, 3, kept) == bus.encode_parcel(1, 2, 3, items)


@given(forms, text, st.binary())
def test_letters_come_out_as_they_went_in(form: Form, event: str, payload: bytes) -> None:
    letter = bus.Letter(form, event, payload)
    assert bus.decode_letter(bus.encode_letter(letter)) == letter


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_packed_numbers_come_out_in_order(numbers: list[int]) -> None:
    assert list(bus.unpack_numbers(bus.pack_numbers(numbers))) == numbers


@pytest.mark.parametrize("size", [1, 7, 9, 15])
def test_numbers_cut_off_are_refused(size: int) -> None:
    with pytest.raises(BadParcel, match=str(size)):
        bus.unpack_numbers(b"x" * size)


@pytest.mark.parametrize("decode", [bus.decode_shard_parcel, bus.decode_worker_parcel])
@pytest.mark.parametrize("version", [b"", b"\0", b"\2", b"\xff"])
def test_other_versions_are_refused(decode: Any, version: bytes) -> None:
    good = bus.encode_parcel(1, 0, 0, [])
    assert decode(good).items == []
    with pytest.raises(BadParcel, match="version"):
        decode(version + good[1:] if version else b"")


def test_what_belongs_to_the_other_direction_is_refused() -> None:
    with pytest.raises(BadParcel):
        bus.decode_worker_parcel(bus.encode_parcel(1, 0, 0, [bus.Publish(1, "t", Form.JSON, "e", b"{}")]))
    with pytest.raises(BadParcel):
        bus.decode_shard_parcel(bus.encode_parcel(1, 0, 0, [bus.Batch(1, (), ())]))


def decode_anything(data: bytes) -> None:
    """Every decoder on the same bytes: nothing but BadParcel may come of it."""
    for decode in (bus.decode_shard_parcel, bus.decode_worker_parcel, bus.decode_letter, bus.unpack_numbers):
        with suppress(BadParcel):
            decode(data)


@given(st.binary())
def test_no_bytes_do_worse_than_bad_parcel(data: bytes) -> None:
    decode_anything(data)
    decode_anything(b"\1" + data)


@given(st.lists(to_shard | to_worker, min_size=1), st.data())
def test_no_damaged_parcel_does_worse_than_bad_parcel(items: list[Any], data: st.DataObject) -> None:
    parcel = bytearray(bus.encode_parcel(1, 0, 0, items))
    for _ in range(data.draw(st.integers(1, 4))):
        parcel[data.draw(st.integers(1, len(parcel) - 1))] = data.draw(st.integers(0, 255))
    decode_anything(bytes(parcel))
    decode_anything(bytes(parcel[: data.draw(st.integers(0, len(parcel)))]))


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=9) | text,
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(string.ascii_letters), inner),
    max_leaves=20,
)


@given(plain)
def test_no_other_messagepack_does_worse_than_bad_parcel(value: Any) -> None:
    decode_anything(b"\1" + msgspec.msgpack.encode(value))
    decode_anything(b"\1" + msgspec.msgpack.encode([1, 0, 0, [value]]))


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a", b"\xdd\0\0\0\1"])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    # Where another type is expected, and behind the last field, where it is only skipped.
    for head in (b"\x94", b"\x95\1\0\0\x90"):
        with pytest.raises(BadParcel):
            bus.decode_shard_parcel(b"\1" + head + opening * 200_000 + b"\0")


@pytest.mark.parametrize("size", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"])
def test_a_size_that_is_not_there_is_refused_at_once(size: bytes) -> None:
    with pytest.raises(BadParcel):
        bus.decode_shard_parcel(b"\1\x94\1\0\0" + size)
    with pytest.raises(BadParcel):
        bus.decode_worker_parcel(b"\1\x94\1\0\0\x91\x94\4\1" + size)
