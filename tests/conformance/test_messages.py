"""The serializers: upstream's cases V1-01 to V1-05, V2-01 to V2-13, SK-02 and SK-03 of section 10.7."""

import json
from typing import Any

import pytest
from websockets.frames import Opcode

from roost.shared.binary_messages import FieldTooLong
from roost.shared.bus import Form, Lane
from roost.shared.serializer import (
    V1,
    V2,
    BadClientMessage,
    Fastlane,
    Message,
    NotAMap,
    Reply,
    Serializer,
    encode_broadcast,
    encode_json,
)
from tests.shared.client_frames import received, received_text

DATA = bytes([101, 102, 103])


def fields(message: Message) -> tuple[Any, ...]:
    """A client's message, its payload parsed."""
    return message.join_ref, message.ref, message.topic, message.event, json.loads(bytes(message.payload))


def broadcast(topic: str, event: str, payload: Any, lane: Lane) -> bytes:
    """The frame of a broadcast."""
    form, data = encode_broadcast(topic, event, payload)
    frame = Fastlane(encode_json(topic), form, event, data).frame(lane)
    assert frame is not None
    return frame


def binary(frame: bytes) -> bytes:
    """What a client reads out of a binary frame."""
    (message,) = received(frame)
    assert message.opcode is Opcode.BINARY
    return bytes(message.data)


def test_sk_02_a_map_of_a_client_is_a_message() -> None:
    text = b'{"topic":"c","event":"e","payload":{"a":1},"ref":"r"}'
    assert fields(V1.decode(text, binary=False)) == (None, "r", "c", "e", {"a": 1})


@pytest.mark.parametrize("missing", ["topic", "event", "payload", "ref"])
def test_sk_03_each_key_is_required(missing: str) -> None:
    message: dict[str, Any] = {"topic": "c", "event": "e", "payload": {}, "ref": "r"}
    del message[missing]
    with pytest.raises(BadClientMessage):
        V1.decode(json.dumps(message).encode(), binary=False)


def test_v1_01_a_message_has_four_keys() -> None:
    sent = json.loads(received_text(V1.push("1", None, "t", "e", {"m": "m"})))
    assert sent == {"topic": "t", "event": "e", "payload": {"m": "m"}, "ref": None}


def test_v1_02_a_reply() -> None:
    sent = json.loads(received_text(V1.reply(Reply(None, "null", "t", "ok", {"m": "m"}))))
    payload = {"response": {"m": "m"}, "status": "ok"}
    assert sent == {"topic": "t", "event": "phx_reply", "payload": payload, "ref": "null"}


def test_v1_03_a_clients_message() -> None:
    text = b'{"topic":"t","event":"e","payload":"m","ref":null}'
    assert fields(V1.decode(text, binary=False)) == (None, None, "t", "e", "m")


def test_v1_04_an_array_is_refused() -> None:
    """Upstream names the value; here it is left out, for it may be anything."""
    with pytest.raises(BadClientMessage, match="object"):
        V1.decode(b"[]", binary=False)


def test_v1_05_a_broadcast() -> None:
    sent = json.loads(received_text(broadcast("t", "e", {"m": "m"}, Lane.V1)))
    assert sent == {"topic": "t", "event": "e", "payload": {"m": "m"}, "ref": None}


def test_v2_01_a_message() -> None:
    assert received_text(V2.push(None, None, "t", "e", {"m": 1})) == '[null,null,"t","e",{"m":1}]'


@pytest.mark.parametrize("serializer", [V1, V2])
def test_v2_02_a_payload_that_is_no_map(serializer: Serializer) -> None:
    """Upstream's V1 lets it pass."""
    with pytest.raises(NotAMap):
        serializer.push(None, None, "t", "e", "invalid")


def test_v2_03_a_reply() -> None:
    text = received_text(V2.reply(Reply("25", "100", "t", "ok", {"m": 1})))
    assert json.loads(text) == ["25", "100", "t", "phx_reply", {"response": {"m": 1}, "status": "ok"}]
    assert " " not in text


def test_v2_04_a_clients_message() -> None:
    assert fields(V2.decode(b'[null,null,"t","e",{"m":1}]', binary=False)) == (None, None, "t", "e", {"m": 1})


def test_v2_05_a_broadcast() -> None:
    assert received_text(broadcast("t", "e", {"m": 1}, Lane.V2)) == '[null,null,"t","e",{"m":1}]'


def test_v2_06_a_broadcast_that_is_no_map() -> None:
    with pytest.raises(NotAMap):
        encode_broadcast("t", "e", "invalid")


def test_v2_07_a_binary_push() -> None:
    assert binary(V2.push("12", None, "topic", "event", DATA)) == b"\0\x02\x05\x05" + b"12topicevent" + DATA
    assert binary(V2.push("12", None, "topic", "event", b"")) == b"\0\x02\x05\x05" + b"12topicevent"


@pytest.mark.parametrize("field", ["join_ref", "topic", "event"])
def test_v2_08_a_binary_push_whose_names_are_too_long(field: str) -> None:
    names = {"join_ref": "12", "topic": "topic", "event": "event"} | {field: "x" * 256}
    with pytest.raises(FieldTooLong, match=f"the {field} of"):
        V2.push(names["join_ref"], None, names["topic"], names["event"], DATA)


def test_v2_09_a_binary_reply() -> None:
    reply = Reply("12", "123", "topic", "ok", DATA)
    assert binary(V2.reply(reply)) == b"\x01\x02\x03\x05\x02" + b"12123topicok" + DATA


def test_v2_10_a_binary_reply_whose_ref_is_too_long() -> None:
    with pytest.raises(FieldTooLong, match="the ref of"):
        V2.reply(Reply("12", "x" * 256, "topic", "ok", DATA))


def test_v2_11_a_binary_broadcast() -> None:
    assert binary(broadcast("topic", "event", DATA, Lane.V2)) == b"\x02\x05\x05" + b"topicevent" + DATA
    form, data = encode_broadcast("topic", "event", DATA)
    assert (form, data) == (Form.BINARY, DATA)


@pytest.mark.parametrize(("field", "names"), [("topic", ("x" * 256, "event")), ("event", ("topic", "x" * 256))])
def test_v2_12_a_binary_broadcast_whose_names_are_too_long(field: str, names: tuple[str, str]) -> None:
    with pytest.raises(FieldTooLong, match=f"the {field} of"):
        encode_broadcast(*names, DATA)


def test_v2_13_a_clients_binary_message() -> None:
    got = V2.decode(b"\0\x02\x03\x05\x05" + b"12123topicevent" + DATA, binary=True)
    assert (got.join_ref, got.ref, got.topic, got.event, got.payload) == ("12", "123", "topic", "event", DATA)
