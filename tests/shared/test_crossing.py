"""What goes from node to node: the same after the wire, and no bytes do worse than BadParcel."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.bus import BadParcel, Form
from roost.shared.crossing import (
    BUCKETS,
    Crossing,
    Direct,
    bits_of,
    bits_to_bytes,
    bucket_of,
    decode_crossing,
    decode_direct,
    encode_crossing,
    encode_direct,
    pack_buckets,
    unpack_buckets,
)
from roost.shared.phash2 import phash2
from tests.shared.json_values import text

crossings = st.builds(Crossing, text, st.sampled_from(Form), text, st.binary(max_size=30))


@given(crossings)
def test_a_publish_is_the_same_on_the_other_side(crossing: Crossing) -> None:
    assert decode_crossing(encode_crossing(crossing.topic, crossing.form, crossing.event, crossing.payload)) == crossing


@given(text, crossings)
def test_one_for_a_single_node_is_the_same_too(node: str, crossing: Crossing) -> None:
    assert decode_direct(encode_direct(node, crossing)) == Direct(node, crossing)


@given(st.binary(max_size=40))
def test_no_bytes_do_worse_than_bad_parcel(data: bytes) -> None:
    for decode in (decode_crossing, decode_direct):
        with suppress(BadParcel):
            decode(data)


@given(st.frozensets(st.integers(0, BUCKETS - 1)))
def test_a_map_of_buckets_is_the_same_on_the_other_side(buckets: frozenset[int]) -> None:
    packed = pack_buckets(buckets)
    assert unpack_buckets(packed) == buckets
    assert bits_to_bytes(bits_of(packed)) == packed
    assert bits_of(packed) == sum(1 << bucket for bucket in buckets)


def test_a_map_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="127 bytes are no map of 1024 buckets"):
        unpack_buckets(bytes(127))


@given(text)
def test_a_bucket_is_the_hash_of_the_topic(topic: str) -> None:
    assert bucket_of(topic) == phash2(topic.encode(), BUCKETS) < BUCKETS
