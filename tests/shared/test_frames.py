"""The frames we write, read by the client of the websockets library."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Close, Opcode

from roost.shared.frames import (
    CloseCode,
    binary_frame,
    close_frame,
    frame_payload,
    frame_payloads,
    is_text,
    pong_frame,
    text_frame,
)
from tests.shared.client_frames import received

# Where the length needs more bytes in the head.
EDGES = [0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 200_000]

payloads = st.binary(max_size=400) | st.sampled_from(EDGES).map(lambda size: b"x" * size)


@pytest.mark.parametrize(("make", "opcode"), [(text_frame, Opcode.TEXT), (binary_frame, Opcode.BINARY)])
@pytest.mark.parametrize("size", EDGES)
def test_messages_of_every_size(make: Callable[[bytes], bytes], opcode: Opcode, size: int) -> None:
    payload = b"x" * size
    (frame,) = received(make(payload))
    assert (frame.opcode, bytes(frame.data)) == (opcode, payload)


@given(st.lists(payloads, max_size=4))
def test_frames_written_together_come_apart(payloads: list[bytes]) -> None:
    assert [bytes(frame.data) for frame in received(b"".join(map(binary_frame, payloads)))] == payloads


@given(payloads)
def test_the_payload_of_a_frame_is_found_again(payload: bytes) -> None:
    assert frame_payload(text_frame(payload)) == frame_payload(binary_frame(payload)) == payload


@given(st.lists(payloads, max_size=4))
def test_payloads_of_frames_written_together(payloads: list[bytes]) -> None:
    assert list(frame_payloads(b"".join(map(text_frame, payloads)))) == payloads


def test_texts_are_told_from_everything_else() -> None:
    assert is_text(text_frame(b""))
    assert not is_text(binary_frame(b""))


@given(st.binary(max_size=125))
def test_pongs(payload: bytes) -> None:
    (frame,) = received(pong_frame(payload))
    assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, payload)


@pytest.mark.parametrize("code", list(CloseCode))
@pytest.mark.parametrize("reason", ["", "going", "é" * 61])
def test_closes(code: CloseCode, reason: str) -> None:
    (frame,) = received(close_frame(code, reason))
    assert frame.opcode is Opcode.CLOSE
    assert Close.parse(bytes(frame.data)) == Close(code, reason)


@given(st.text(st.characters(codec="ascii"), min_size=120, max_size=200))
def test_a_long_reason_is_cut_to_what_a_frame_holds(reason: str) -> None:
    (frame,) = received(close_frame(CloseCode.NORMAL, reason))
    assert Close.parse(bytes(frame.data)).reason == reason[:123]
