"""CSRF tokens: one as Plug makes it, those that we make, and everything else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.connect.csrf import csrf_token, is_valid_csrf_token


def test_a_token_worked_out_by_hand() -> None:
    """Session token of 24 `a`, mask of 24 `b`: `a` XOR `b` is 3, and base64 of 24 threes is 8 times AwMD."""
    assert is_valid_csrf_token("a" * 24, "AwMD" * 8 + "b" * 24)
    assert not is_valid_csrf_token("a" * 23 + "b", "AwMD" * 8 + "b" * 24)


def test_a_session_gets_a_token_once_and_pages_get_it_masked() -> None:
    session: dict[str, Any] = {"user": 1}
    sent = [csrf_token(session) for _ in range(10)]
    assert {len(token) for token in sent} == {56}
    assert len(set(sent)) == 10
    kept = session["_csrf_token"]
    assert len(kept) == 24
    assert all(is_valid_csrf_token(kept, token) for token in sent)
    assert not is_valid_csrf_token(csrf_token({}), sent[0])
    csrf_token(session, "other")
    assert len(session["other"]) == 24


@pytest.mark.parametrize("kept", [None, 1, "", "a" * 23, "é" * 24, b"a" * 24])
def test_a_session_without_a_token_has_no_valid_one(kept: Any) -> None:
    assert not is_valid_csrf_token(kept, "AwMD" * 8 + "b" * 24)


@given(st.none() | st.text() | st.text(min_size=56, max_size=56) | st.lists(st.text()))
def test_nothing_made_up_is_valid(sent: Any) -> None:
    assert not is_valid_csrf_token("a" * 24, sent)


@given(st.integers(0, 55), st.integers(0, 6))
def test_every_flipped_bit_is_noticed(at: int, bit: int) -> None:
    session: dict[str, Any] = {}
    damaged = bytearray(csrf_token(session).encode())
    damaged[at] ^= 1 << bit
    assert not is_valid_csrf_token(session["_csrf_token"], damaged.decode())
