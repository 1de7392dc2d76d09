"""A client's messages: what it writes is what a server reads, and the other way round."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.client.messages import BadServerMessage, ServerMessage, decode_message, encode_message
from roost.shared.bus import Form, Lane
from roost.shared.serializer import V2, Fastlane, Raw, Reply, encode_broadcast, encode_json
from tests.shared.client_frames import received
from tests.shared.json_values import text

names = text.filter(lambda name: len(name.encode()) < 256)
payloads = st.dictionaries(text, st.integers() | text | st.none(), max_size=3) | st.binary(max_size=30)


def sent(frame: bytes) -> str | bytes:
    """What a client gets of a server's frame."""
    (one,) = received(frame)
    data = bytes(one.data)
    return data.decode() if one.opcode == 1 else data


def read(payload: Any) -> Any:
    return payload if isinstance(payload, bytes) else msgspec.json.decode(payload)


@given(names, names, names, names, payloads)
def test_a_server_reads_what_a_client_writes(join_ref: str, ref: str, topic: str, event: str, payload: Any) -> None:
    data = encode_message(join_ref, ref, topic, event, payload)
    as_bytes = data.encode() if isinstance(data, str) else data
    message = V2.decode(as_bytes, isinstance(data, bytes))
    assert (message.join_ref, message.ref, message.topic, message.event) == (join_ref, ref, topic, event)
    assert read(message.payload) == payload


@given(names, names, names, payloads)
def test_a_client_reads_pushes(join_ref: str, topic: str, event: str, payload: Any) -> None:
    if event == "phx_reply":
        return
    message = decode_message(sent(V2.push(join_ref, None, topic, event, payload)))
    assert message == ServerMessage(topic, event, payload, None, join_ref)


@given(names, names, names, names, payloads)
def test_a_client_reads_replies(join_ref: str, ref: str, topic: str, status: str, payload: Any) -> None:
    message = decode_message(sent(V2.reply(Reply(join_ref, ref, topic, status, payload))))
    assert message == ServerMessage(topic, "phx_reply", payload, ref, join_ref, status)


@given(names, names, payloads)
def test_a_client_reads_broadcasts(topic: str, event: str, payload: Any) -> None:
    if event == "phx_reply":
        return
    form, data = encode_broadcast(topic, event, payload)
    frame = Fastlane(encode_json(topic), form, event, data).frame(Lane.V2)
    assert frame is not None
    assert decode_message(sent(frame)) == ServerMessage(topic, event, payload)


@given(st.text() | st.binary())
def test_whatever_a_server_sends_is_read_or_is_a_bad_message(data: str | bytes) -> None:
    with suppress(BadServerMessage):
        decode_message(data)


def test_a_name_that_does_not_fit_a_binary_message_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 255 bytes, not 256"):
        encode_message("1", "1", "t" * 256, "event", b"data")


def test_the_forms_are_those_of_the_bus() -> None:
    assert encode_broadcast("t", "e", b"")[0] is Form.BINARY
    assert isinstance(V2.decode(b'["1","1","t","e",{}]', binary=False).payload, Raw)


def test_what_channels_may_send_a_client_may_too() -> None:
    class Point(msgspec.Struct):
        x: int

    assert encode_message("1", "2", "a", "b", {"at": Point(3)}) == '["1","2","a","b",{"at":{"x":3}}]'
    with pytest.raises(TypeError, match="unsupported"):
        encode_message("1", "2", "a", "b", object())
