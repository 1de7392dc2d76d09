"""Messages for code: plain ones come out as they went in, events as Broadcasts, to each receiver its own."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.letters import Broadcast, encode_plain, open_letter
from roost.shared.bus import Form, Letter, encode_letter
from tests.shared.json_values import maps, text, typed

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | text | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(text | st.integers(0, 9), inner),
    max_leaves=10,
)


@given(text, plain)
def test_plain_messages_come_out_as_they_went_in(topic: str, message: Any) -> None:
    assert open_letter(topic, encode_letter(Letter(Form.PLAIN, "", encode_plain(message)))) == message


@given(text, text, maps)
def test_events_come_as_broadcasts(topic: str, event: str, payload: dict[str, Any]) -> None:
    opened = open_letter(topic, encode_letter(Letter(Form.JSON, event, json.dumps(payload).encode())))
    assert (opened.topic, opened.event) == (topic, event)
    assert typed(opened.payload) == typed(payload)


@given(st.binary())
def test_binary_events_keep_their_bytes(payload: bytes) -> None:
    opened = open_letter("t", encode_letter(Letter(Form.BINARY, "e", payload)))
    assert opened == Broadcast("t", "e", payload)


def test_each_receiver_opens_its_own() -> None:
    letter = encode_letter(Letter(Form.PLAIN, "", encode_plain({"list": []})))
    open_letter("t", letter)["list"].append("mine")
    assert open_letter("t", letter) == {"list": []}


def test_what_is_no_plain_data_is_refused_where_it_is_sent() -> None:
    with pytest.raises(TypeError):
        encode_plain(object())
