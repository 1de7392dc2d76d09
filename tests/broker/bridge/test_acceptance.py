"""What comes from the engine is let in only if shards, workers and clients can take it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.broker.bridge.acceptance import refusal
from roost.gateway.letters import open_letter
from roost.shared.bus import Form, Letter, encode_letter
from roost.shared.crossing import Crossing
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import BRIDGE, PRESENCE, TAP, worker_topic

JSON = msgspec.json.encode({"body": "ü", "n": [1, None]})


@given(st.text(), st.sampled_from(Form), st.text(), st.binary() | st.just(JSON))
def test_what_is_let_in_can_be_opened_and_sent(topic: str, form: Form, event: str, payload: bytes) -> None:
    if refusal(Crossing(topic, form, event, payload), direct=False) is not None:
        return
    open_letter(topic, encode_letter(Letter(form, event, payload)))
    if form is Form.BINARY:
        encode_broadcast(topic, event, payload)


@pytest.mark.parametrize(
    ("form", "event", "payload"),
    [
        (Form.JSON, "e", b""),
        (Form.JSON, "e", b'{"open'),
        (Form.JSON, "e", b'{} "and more"'),
        (Form.JSON, "e", b'"\xff"'),
        (Form.JSON, "e", b"[" * 100_000),
        (Form.BINARY, "e" * 256, b"x"),
        (Form.PLAIN, "", b"\xc1"),
        (Form.PLAIN, "", b"\x92\x01"),
    ],
)
def test_what_nobody_can_be_given_is_refused_by_its_topic(form: Form, event: str, payload: bytes) -> None:
    why = refusal(Crossing("room:a", form, event, payload), direct=False)
    assert why is not None
    assert "'room:a'" in why


@pytest.mark.parametrize(
    ("topic", "to_all", "to_one"),
    [
        ("room:a", True, True),
        (f"{PRESENCE}x", True, True),
        (worker_topic(1), False, True),
        (TAP, False, False),
        (BRIDGE, False, False),
    ],
)
def test_what_is_a_nodes_own_does_not_come_from_others(topic: str, to_all: bool, to_one: bool) -> None:
    crossing = Crossing(topic, Form.PLAIN, "", b"\x01")
    assert [refusal(crossing, direct=direct) is None for direct in (False, True)] == [to_all, to_one]
