"""Binary messages against Phoenix's worked examples, and bytes of any kind."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.binary_messages import (
    BadBinaryMessage,
    BinaryPush,
    FieldTooLong,
    decode_push,
    encode_broadcast,
    encode_push,
    encode_reply,
)

DATA = bytes.fromhex("deadbeef")
names = st.text(max_size=60)


def as_a_client(push: BinaryPush) -> bytes:
    """The bytes that a client sends."""
    *fields, data = push
    encoded = [field.encode() for field in fields]
    return b"\0" + bytes(map(len, encoded)) + b"".join(encoded) + data


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (encode_push("7", "room:lobby", "img", DATA), "00010a0337726f6f6d3a6c6f626279696d67deadbeef"),
        (
            encode_reply("7", "12", "room:lobby", "ok", DATA),
            "0101020a02373132726f6f6d3a6c6f6262796f6bdeadbeef",
        ),
        (encode_broadcast("room:lobby", "img", DATA), "020a03726f6f6d3a6c6f626279696d67deadbeef"),
        (encode_reply(None, None, "t", "error", b""), "0100000105746572726f72"),
        (encode_push(None, "t", "e", b""), "000001017465"),
        (encode_reply(7, 12, "room:lobby", "ok", DATA), "0101020a02373132726f6f6d3a6c6f6262796f6bdeadbeef"),
    ],
)
def test_the_worked_examples(made: bytes, expected: str) -> None:
    assert made == bytes.fromhex(expected)


def test_a_clients_push() -> None:
    message = bytes.fromhex("0001020a03373132726f6f6d3a6c6f626279696d67deadbeef")
    assert decode_push(message) == BinaryPush("7", "12", "room:lobby", "img", DATA)


@given(st.builds(BinaryPush, names, names, names, names, st.binary()))
def test_what_a_client_sends_is_read(push: BinaryPush) -> None:
    assert decode_push(as_a_client(push)) == push


@pytest.mark.parametrize(
    "message",
    [b"", b"\0", b"\0\0\0\0", b"\0\1\0\0\0", b"\1\0\0\0\0", b"\2\0\0\0\0", b"\0\0\0\0\1\xff", b"\0\xff\xff\xff\xffabc"],
)
def test_what_is_no_push_is_refused(message: bytes) -> None:
    with pytest.raises(BadBinaryMessage):
        decode_push(message)


@given(st.binary(max_size=64))
def test_no_bytes_do_worse_than_that(message: bytes) -> None:
    try:
        decode_push(message)
    except BadBinaryMessage:
        pass


long_names: list[tuple[str, Callable[[str], bytes]]] = [
    ("join_ref", lambda name: encode_push(name, "t", "e", b"")),
    ("topic", lambda name: encode_push("1", name, "e", b"")),
    ("event", lambda name: encode_push("1", "t", name, b"")),
    ("ref", lambda name: encode_reply("1", name, "t", "ok", b"")),
    ("status", lambda name: encode_reply("1", "1", "t", name, b"")),
    ("topic", lambda name: encode_broadcast(name, "e", b"")),
    ("event", lambda name: encode_broadcast("t", name, b"")),
]


@pytest.mark.parametrize(("field", "make"), long_names)
def test_a_name_that_does_not_fit_is_named(field: str, make: Callable[[str], bytes]) -> None:
    assert b"x" * 255 in make("x" * 255)
    with pytest.raises(FieldTooLong, match=f"the {field} of a binary message"):
        make("x" * 256)


def test_bytes_count_not_letters() -> None:
    with pytest.raises(FieldTooLong):
        encode_broadcast("é" * 128, "e", b"")
