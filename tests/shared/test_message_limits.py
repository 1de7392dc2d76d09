"""How long fields may be, counted in bytes; and that short messages need no look."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.message_limits import MAX_FIELD_BYTES, check_fields
from roost.shared.serializer import V1, V2, BadClientMessage

FIELDS = ("join_ref", "ref", "topic", "event")


def message(**fields: Any) -> bytes:
    return json.dumps([*(fields.get(name, "x") for name in FIELDS), {}], ensure_ascii=False).encode()


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("letter", ["a", "é", "\U0001f600"])
def test_the_limit_counts_bytes_and_belongs_to_what_is_allowed(name: str, letter: str) -> None:
    fits = letter * (MAX_FIELD_BYTES // len(letter.encode()))
    check_fields(V2.decode(message(**{name: fits}), False))  # noqa: FBT003
    with pytest.raises(BadClientMessage, match=f"the {name} is longer"):
        check_fields(V2.decode(message(**{name: fits + letter}), False))  # noqa: FBT003


@pytest.mark.parametrize("value", [["a"] * 1000, {"a": "b" * 1024}, 10**1100])
def test_values_that_are_no_text_count_as_their_json(value: Any) -> None:
    with suppress(BadClientMessage):  # msgspec reads no integer of that length
        decoded = V2.decode(message(ref=value), False)  # noqa: FBT003
        with pytest.raises(BadClientMessage, match="the ref is longer"):
            check_fields(decoded)


@pytest.mark.parametrize("value", [None, 7, 1.5, True])
def test_short_values_of_any_kind_pass(value: Any) -> None:
    check_fields(V2.decode(message(ref=value, topic=value), False))  # noqa: FBT003


def test_payloads_are_not_counted() -> None:
    check_fields(V2.decode(b'["1","1","t","e","' + b"x" * 100_000 + b'"]', False))  # noqa: FBT003


@given(st.text(st.sampled_from('a"\\u0041éd8c[]{},:0123456789'), max_size=300), st.booleans())
def test_a_message_within_the_limit_has_no_field_beyond_it(text: str, old: bool) -> None:
    data = (
        f'["{text}","{text}","{text}","{text}",0]'
        if not old
        else f'{{"topic":"{text}","event":"","ref":"","payload":0}}'
    )
    serializer = V1 if old else V2
    with suppress(BadClientMessage):
        decoded = serializer.decode(data.encode(), False)  # noqa: FBT003
        if len(data.encode()) <= MAX_FIELD_BYTES:
            check_fields(decoded)
