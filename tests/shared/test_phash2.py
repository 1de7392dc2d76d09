"""phash2 against results of a real Erlang, and the shape of its range."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.phash2 import hash32, phash2

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors" / "phash2.json").read_text())
SMALL_RANGE = 1 << 27
"""What Erlang's `phash2/1` spreads over."""
WHOLE_RANGE = 1 << 32

terms = st.integers() | st.binary() | st.text()


def test_there_are_vectors_of_every_kind() -> None:
    assert len(VECTORS["integers"]) > 2_800
    assert len(VECTORS["binaries_hex"]) > 2_400
    assert len(VECTORS["ranges"]) == 600


def test_integers_hash_as_in_erlang() -> None:
    wrong = [term for term, expected in VECTORS["integers"] if phash2(term, SMALL_RANGE) != expected]
    assert wrong == []


def test_binaries_hash_as_in_erlang() -> None:
    wrong = [term for term, expected in VECTORS["binaries_hex"] if phash2(bytes.fromhex(term), SMALL_RANGE) != expected]
    assert wrong == []


def test_the_whole_hash_is_as_in_erlang() -> None:
    integers = [term for term, expected in VECTORS["integers_hash32"] if hash32(term) != expected]
    binaries = [term for term, expected in VECTORS["binaries_hex_hash32"] if hash32(bytes.fromhex(term)) != expected]
    assert integers == binaries == []


def test_ranges_are_as_in_erlang() -> None:
    wrong = [
        (term, buckets)
        for term, buckets, expected in VECTORS["ranges"]
        if phash2(bytes.fromhex(term["hex"]) if isinstance(term, dict) else term, buckets) != expected
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("term", "small", "whole", "of_four"),
    [
        (0, 88723725, 3175731469, 1),
        (42, 30328728, 701417368, 0),
        (1 << 28, 45246278, 2729600838, 2),
        (-(1 << 28), 70671433, 3694550089, 1),
        ("", 13708901, 147926629, 1),
        ("room:lobby", 91253756, 225471484, 0),
        (b"abc", 98228475, 1306188027, 3),
    ],
)
def test_well_known_values(term: int | bytes | str, small: int, whole: int, of_four: int) -> None:
    assert phash2(term, SMALL_RANGE) == small
    assert phash2(term, WHOLE_RANGE) == whole
    assert phash2(term, 4) == of_four


@given(terms, st.integers(1, WHOLE_RANGE))
def test_buckets_are_the_whole_hash_reduced(term: int | bytes | str, buckets: int) -> None:
    assert 0 <= hash32(term) < WHOLE_RANGE
    assert phash2(term, buckets) == hash32(term) % buckets


@given(st.text())
def test_text_hashes_as_its_utf8_bytes(text: str) -> None:
    assert hash32(text) == hash32(text.encode())


@pytest.mark.parametrize("buckets", [0, -1, WHOLE_RANGE + 1])
def test_other_ranges_are_refused(buckets: int) -> None:
    with pytest.raises(ValueError, match=str(buckets)):
        phash2(1, buckets)
