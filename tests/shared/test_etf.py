"""The external term format: what is written comes back, known bytes, and bytes that are no term."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.etf import MAX_DEPTH, Atom, BadTerm, decode_term, encode_term

text = st.text(st.characters(codec="utf-8"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
terms = st.recursive(
    scalars | st.binary() | st.integers(0, 255).map(lambda n: [n] * 3),
    lambda inner: st.lists(inner) | st.dictionaries(text, inner) | st.lists(inner).map(tuple),
    max_leaves=20,
)


def as_read(term: Any) -> Any:
    """Bytes that are UTF-8 come back as text: Erlang has one type for both."""
    match term:
        case bytes():
            with suppress(UnicodeDecodeError):
                return term.decode()
        case list() | tuple():
            return type(term)(map(as_read, term))
        case dict():
            return {key: as_read(value) for key, value in term.items()}
    return term


@given(terms)
def test_what_is_written_is_read(term: Any) -> None:
    assert decode_term(encode_term(term)) == as_read(term)


@pytest.mark.parametrize(
    ("term", "written"),
    [
        (0, "836100"),
        (255, "8361ff"),
        (256, "836200000100"),
        (-1, "8362ffffffff"),
        (86400, "836200015180"),
        (2**31, "836e040000000080"),
        (-(2**31), "836280000000"),
        (-(2**31) - 1, "836e040101000080"),
        (1_700_000_000_000, "836e06000068e5cf8b01"),
        (1.5, "83463ff8000000000000"),
        ("alice", "836d00000005616c696365"),
        ("é", "836d00000002c3a9"),
        ([], "836a"),
        ([1, 2, 3], "836b0003010203"),
        ([1, 256], "836c000000026101620000010" + "06a"),
        (["a"], "836c000000016d00000001616a"),
        ({}, "837400000000"),
        ({"b": 1, "a": 2}, "8374000000026d000000016161026d00000001626101"),
        (None, "8377036e696c"),
        (True, "83770474727565"),
        (False, "83770566616c7365"),
        (Atom("infinity"), "837708696e66696e697479"),
        (("alice", 0), "8368026d00000005616c6963656100"),
    ],
)
def test_bytes_as_erlang_writes_them(term: Any, written: str) -> None:
    assert encode_term(term).hex() == written
    read = decode_term(bytes.fromhex(written))
    assert read == term
    assert type(read) is type(term)


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("8364" + "0003" + b"nil".hex(), None),
        ("8364" + "0004" + b"true".hex(), True),
        ("8373" + "04" + b"user".hex(), "user"),
        ("8376" + "0002" + "c3a9", "é"),
        ("8364" + "0001" + "e9", "é"),
        ("8369" + "00000001" + "6101", (1,)),
        ("836f" + "00000001" + "01" + "05", -5),
        ("836d" + "00000001" + "ff", b"\xff"),
    ],
)
def test_what_other_releases_write(written: str, term: Any) -> None:
    assert decode_term(bytes.fromhex(written)) == term


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "82",
            "83",
            "8361",
            "836100" + "00",
            "836d" + "00000002" + "61",
            "836c" + "ffffffff",
            "8374" + "ffffffff",
        ),
        *("836c" + "00000001" + "6101" + "6101", "8367", "8350" + "00000000", "8346" + "7ff8000000000000"),
        *("8374" + "00000002" + "61016101" + "61016101", "8374" + "00000001" + "6a6a", "8376" + "0001" + "ff"),
    ],
)
def test_bytes_that_are_no_term(written: str) -> None:
    with pytest.raises(BadTerm):
        decode_term(bytes.fromhex(written))


@pytest.mark.parametrize("term", [math.nan, math.inf, object(), {1, 2}, "\ud800", Atom("x" * 256), {"a": [object()]}])
def test_values_that_are_no_terms(term: Any) -> None:
    with pytest.raises(BadTerm):
        encode_term(term)


def test_depth_has_a_limit_in_both_directions() -> None:
    term: Any = []
    for _ in range(MAX_DEPTH - 1):
        term = [term]
    assert decode_term(encode_term(term)) == term
    with pytest.raises(BadTerm, match="nested"):
        encode_term([term])
    with pytest.raises(BadTerm, match="nested"):
        decode_term(b"\x83" + b"\x6c\x00\x00\x00\x01" * MAX_DEPTH + b"\x6a" * (MAX_DEPTH + 1))


@given(st.binary())
def test_no_bytes_do_worse_than_a_bad_term(data: bytes) -> None:
    for written in (data, b"\x83" + data):
        with suppress(BadTerm):
            encode_term(decode_term(written))


@given(terms, st.data())
def test_no_damaged_term_does_worse_than_a_bad_term(term: Any, data: st.DataObject) -> None:
    written = bytearray(encode_term(term))
    written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadTerm):
        decode_term(bytes(written))
