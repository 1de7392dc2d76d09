"""The serializers against Phoenix's: what clients send, what they are sent, and what is not JSON."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from websockets.frames import Opcode

from roost.shared.bus import Form, Lane
from roost.shared.serializer import (
    V1,
    V2,
    BadClientMessage,
    Fastlane,
    Message,
    NotAMap,
    Raw,
    Reply,
    Serializer,
    encode_broadcast,
    encode_json,
    encode_map,
)
from tests.shared.client_frames import received, received_text
from tests.shared.json_values import maps, text, typed, values

refs = values
both = pytest.mark.parametrize("serializer", [V1, V2])


def decode(serializer: Serializer, message: Any, **how: Any) -> tuple[Any, ...]:
    """The five fields of a client's message, the payload parsed."""
    got = serializer.decode(json.dumps(message, **how).encode(), binary=False)
    return got.join_ref, got.ref, got.topic, got.event, json.loads(bytes(got.payload))


def sent(frame: bytes | None) -> Any:
    """What a client reads out of a frame."""
    assert frame is not None
    return json.loads(received_text(frame))


def binary(frame: bytes | None) -> bytes:
    """What a client reads out of a binary frame."""
    assert frame is not None
    (message,) = received(frame)
    assert message.opcode is Opcode.BINARY
    return bytes(message.data)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


class TestV2:
    """JSON arrays (section 1.4 of the Phoenix wire protocol)."""

    @given(st.tuples(refs, refs, values, values, values), st.lists(values, max_size=2), st.booleans())
    def test_any_five_values_come_out_as_they_were_sent(
        self, fields: tuple[Any, ...], extra: list[Any], ascii_only: bool
    ) -> None:
        assert typed(decode(V2, [*fields, *extra], ensure_ascii=ascii_only)) == typed(fields)
        assert typed(decode(V2, [*fields, *extra], indent=1)) == typed(fields)

    @given(refs, refs, text, text, values)
    def test_a_reply_gives_the_refs_back_unchanged(
        self, join_ref: Any, ref: Any, topic: str, status: str, response: Any
    ) -> None:
        got = V2.decode(json.dumps([join_ref, ref, topic, "e", {}]).encode(), binary=False)
        frame = V2.reply(Reply(got.join_ref, got.ref, got.topic, status, response))
        expected = [join_ref, ref, topic, "phx_reply", {"response": response, "status": status}]
        assert typed(sent(frame)) == typed(expected)

    @given(refs, refs, text, text, maps)
    def test_pushes(self, join_ref: Any, ref: Any, topic: str, event: str, payload: dict[str, Any]) -> None:
        expected = typed([join_ref, ref, topic, event, payload])
        assert typed(sent(V2.push(join_ref, ref, topic, event, payload))) == expected
        assert typed(sent(V2.push(join_ref, ref, topic, event, Raw(json.dumps(payload).encode())))) == expected

    @given(text, text, maps)
    def test_broadcasts_have_no_refs(self, topic: str, event: str, payload: dict[str, Any]) -> None:
        frame = Fastlane(encode_json(topic), Form.JSON, event, encode_map(payload)).frame(Lane.V2)
        assert typed(sent(frame)) == typed([None, None, topic, event, payload])

    @pytest.mark.parametrize(
        ("frame", "expected"),
        [
            (
                V2.reply(Reply(None, "3", "phoenix", "ok", {})),
                '[null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]',
            ),
            (
                V2.reply(Reply("1", "2", "room:a", "ok", {"k": "v"})),
                '["1","2","room:a","phx_reply",{"response":{"k":"v"},"status":"ok"}]',
            ),
            (V2.push("1", None, "room:a", "p1", {"n": 1}), '["1",null,"room:a","p1",{"n":1}]'),
            (V2.push("1", "1", "room:b", "phx_close", {}), '["1","1","room:b","phx_close",{}]'),
            (
                V2.push("1", "1", "room:b", "phx_error", {"reason": "channel_crash"}),
                '["1","1","room:b","phx_error",{"reason":"channel_crash"}]',
            ),
            (
                V2.reply(Reply(None, "9", "nomatch", "error", {"reason": "unmatched topic"})),
                '[null,"9","nomatch","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]',
            ),
            (Fastlane(b'"room:a"', Form.JSON, "bc", b'{"n":1}').frame(Lane.V2), '[null,null,"room:a","bc",{"n":1}]'),
        ],
    )
    def test_the_worked_examples(self, frame: bytes, expected: str) -> None:
        assert sent(frame) == json.loads(expected)

    @pytest.mark.parametrize(
        "data",
        [
            *(b"", b"hello", b"[]", b"{}", b"null", b'"text"', b"1", b'["1","1","t","e"]', b'["1","1","t","e",{}'),
            *(b'["1","1","t","e",{}]x', b'["1","1","t","e",{},]', b'{"topic":"t","event":"e","payload":{},"ref":"1"}'),
        ],
    )
    def test_what_ends_the_connection(self, data: bytes) -> None:
        with pytest.raises(BadClientMessage):
            V2.decode(data, binary=False)

    def test_json_in_a_binary_message_ends_the_connection(self) -> None:
        with pytest.raises(BadClientMessage):
            V2.decode(b'["1","1","t","e",{}]', binary=True)

    def test_binary_payloads_travel_in_binary_messages(self) -> None:
        data = bytes.fromhex("deadbeef")
        got = V2.decode(b"\0\1\2\x0a\3" + b"712room:lobbyimg" + data, binary=True)
        assert (got.join_ref, got.ref, got.topic, got.event, got.payload) == ("7", "12", "room:lobby", "img", data)
        assert binary(V2.push("7", None, "room:lobby", "img", data)) == b"\0\1\x0a\3" + b"7room:lobbyimg" + data
        reply = V2.reply(Reply("7", "12", "room:lobby", "ok", data))
        assert binary(reply) == b"\1\1\2\x0a\2" + b"712room:lobbyok" + data
        broadcast = Fastlane(b'"room:lobby"', Form.BINARY, "img", data)
        assert binary(broadcast.frame(Lane.V2)) == b"\2\x0a\3" + b"room:lobbyimg" + data
        assert broadcast.frame(Lane.V1) is None

    def test_the_broadcaster_hears_of_names_that_are_too_long(self) -> None:
        assert encode_broadcast("t" * 255, "e" * 255, b"data") == (Form.BINARY, b"data")
        for topic, event in (("t" * 256, "e"), ("t", "e" * 256)):
            with pytest.raises(ValueError, match="at most 255 bytes"):
                encode_broadcast(topic, event, b"data")
        assert encode_broadcast("t" * 256, "e", {})[0] == Form.JSON


@pytest.mark.parametrize("event", [None, 5, b"event", ["event"]])
@pytest.mark.parametrize("payload", [{}, b"data"])
def test_the_broadcaster_hears_of_an_event_that_is_no_text(event: Any, payload: Any) -> None:
    with pytest.raises(TypeError, match="an event is a str, not"):
        encode_broadcast("t", event, payload)
    with pytest.raises(UnicodeEncodeError):
        encode_broadcast("t", "\ud800", payload)


class TestV1:
    def test_there_are_no_binary_messages(self) -> None:
        with pytest.raises(TypeError):
            V1.push("1", None, "t", "e", b"data")
        with pytest.raises(TypeError):
            V1.reply(Reply("1", "2", "t", "ok", b"data"))

    """JSON objects (section 1.3 of the Phoenix wire protocol)."""

    @given(refs, values, values, values, st.dictionaries(text, values, max_size=2), st.booleans())
    def test_the_fields_come_out_as_they_were_sent(
        self, ref: Any, topic: Any, event: Any, payload: Any, more: dict[str, Any], binary: bool
    ) -> None:
        message = {**more, "topic": topic, "event": event, "payload": payload, "ref": ref}
        got = V1.decode(json.dumps(message).encode(), binary=binary)
        fields = (got.join_ref, got.ref, got.topic, got.event, json.loads(bytes(got.payload)))
        assert typed(fields) == typed((more.get("join_ref"), ref, topic, event, payload))

    @pytest.mark.parametrize("missing", ["topic", "event", "payload", "ref"])
    def test_a_missing_key_ends_the_connection(self, missing: str) -> None:
        message: dict[str, Any] = {"topic": "t", "event": "e", "payload": {}, "ref": None}
        assert decode(V1, message) == (None, None, "t", "e", {})
        del message[missing]
        with pytest.raises(BadClientMessage):
            decode(V1, message)

    @given(refs, refs, text, text, values)
    def test_a_reply_has_the_ref_and_never_the_join_ref(
        self, join_ref: Any, ref: Any, topic: str, status: str, response: Any
    ) -> None:
        expected = {
            "event": "phx_reply",
            "payload": {"response": response, "status": status},
            "ref": ref,
            "topic": topic,
        }
        assert typed(sent(V1.reply(Reply(join_ref, ref, topic, status, response)))) == typed(expected)

    @given(refs, refs, text, text, maps)
    def test_pushes(self, join_ref: Any, ref: Any, topic: str, event: str, payload: dict[str, Any]) -> None:
        expected = {"event": event, "payload": payload, "ref": ref, "topic": topic}
        assert typed(sent(V1.push(join_ref, ref, topic, event, payload))) == typed(expected)

    @given(text, text, maps)
    def test_broadcasts_have_no_ref(self, topic: str, event: str, payload: dict[str, Any]) -> None:
        frame = Fastlane(encode_json(topic), Form.JSON, event, encode_map(payload)).frame(Lane.V1)
        assert typed(sent(frame)) == typed({"event": event, "payload": payload, "ref": None, "topic": topic})

    @pytest.mark.parametrize(
        ("frame", "expected"),
        [
            (
                V1.reply(Reply("7", "1", "phoenix", "ok", {})),
                '{"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":"1","topic":"phoenix"}',
            ),
            (
                V1.push("7", None, "room:a", "p1", {"n": 1}),
                '{"event":"p1","payload":{"n":1},"ref":null,"topic":"room:a"}',
            ),
            (
                Fastlane(b'"room:a"', Form.JSON, "bc", b'{"n":1}').frame(Lane.V1),
                '{"event":"bc","payload":{"n":1},"ref":null,"topic":"room:a"}',
            ),
        ],
    )
    def test_the_worked_examples(self, frame: bytes, expected: str) -> None:
        assert sent(frame) == json.loads(expected)

    @pytest.mark.parametrize("data", [b"", b"hello", b"[]", b"{}", b'[null,"1","t","e",{}]', b'{"topic":"t"'])
    @pytest.mark.parametrize("binary", [False, True])
    def test_what_ends_the_connection(self, data: bytes, binary: bool) -> None:
        with pytest.raises(BadClientMessage):
            V1.decode(data, binary=binary)

    @pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80"])
    def test_binary_that_is_no_utf8_is_refused_also_where_it_is_never_parsed(self, bad: bytes) -> None:
        message = b'{"topic":"t","event":"e","ref":"1","payload":{"a":"%b"}}'
        assert bytes(V1.decode(message % "é".encode(), binary=True).payload) == '{"a":"é"}'.encode()
        with pytest.raises(BadClientMessage):
            V1.decode(message % bad, binary=True)


def around(serializer: Serializer, payload: bytes) -> bytes:
    """A message with this payload."""
    if serializer is V1:
        return b'{"topic":"t","event":"e","ref":"1","payload":%b}' % payload
    return b'["1","1","t","e",%b]' % payload


@both
class TestJson:
    """What both have in common (section 1.6 of the Phoenix wire protocol)."""

    @pytest.mark.parametrize(
        "payload",
        [
            *(b'{"a":1,}', b"[1,]", b"NaN", b"Infinity", b"-", b"01", b"1.", b".5", b"1e", b"+1", b"tru", b"nulll"),
            *(b"'a'", b"{a:1}", b'{"a"}', b'{"a":}', b"[1 2]", b'"a', b'"\n"', b'"\x01"', b'"\\q"', b'"\\u12"', b"//"),
            *(b"/**/1", b"1 2", b"]", b"\xef\xbb\xbf{}"),
        ],
    )
    def test_parsing_is_strict_also_where_a_payload_only_passes_through(
        self, serializer: Serializer, payload: bytes
    ) -> None:
        with pytest.raises(BadClientMessage):
            serializer.decode(around(serializer, payload), binary=False)

    @given(values)
    def test_payloads_pass_as_they_came(self, serializer: Serializer, payload: Any) -> None:
        raw = json.dumps(payload, indent=1).encode()
        assert bytes(serializer.decode(around(serializer, raw), binary=False).payload) == raw

    @given(payload=st.binary() | st.text("{}[]\",:\\ue10truefalsn.+- \n\t'", max_size=20).map(str.encode))
    def test_what_passes_is_json_for_every_other_client(self, serializer: Serializer, payload: bytes) -> None:
        with suppress(BadClientMessage, UnicodeDecodeError):
            payload.decode()
            passed = bytes(serializer.decode(around(serializer, payload), binary=False).payload)
            json.loads(passed, parse_constant=lambda constant: pytest.fail(constant))

    @given(data=st.binary(), binary=st.booleans())
    def test_no_bytes_do_worse_than_bad_client_message(self, serializer: Serializer, data: bytes, binary: bool) -> None:
        with suppress(BadClientMessage):
            serializer.decode(data, binary=binary)

    @given(data=st.data(), binary=st.booleans())
    def test_no_damaged_message_does_worse_than_bad_client_message(
        self, serializer: Serializer, data: st.DataObject, binary: bool
    ) -> None:
        message = bytearray(around(serializer, json.dumps(data.draw(values)).encode()))
        for _ in range(data.draw(st.integers(1, 3))):
            message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
        with suppress(BadClientMessage):
            serializer.decode(bytes(message), binary=binary)

    @pytest.mark.parametrize("opening", [b"[", b'{"a":'])
    @pytest.mark.parametrize("depth", [2_000, 1_000_000])
    def test_json_nested_too_deep_is_the_peers_fault(self, serializer: Serializer, opening: bytes, depth: int) -> None:
        closing = b"]" if opening == b"[" else b"}"
        for payload in (opening * depth, opening * depth + b"1" + closing * depth):
            with pytest.raises(BadClientMessage):
                serializer.decode(around(serializer, payload), binary=False)

    def test_json_nested_as_deep_as_people_write_it_passes(self, serializer: Serializer) -> None:
        payload = json.dumps(nested(200)).encode()
        assert bytes(serializer.decode(around(serializer, payload), binary=False).payload) == payload

    def test_output_is_compact_and_escapes_only_what_it_must(self, serializer: Serializer) -> None:
        payload = {"é/\u2028": 'quote " backslash \\ newline \n control \x01', "float": 1.0, "big": 10**40}
        frame = received_text(serializer.push("1", None, "t", "e", payload))
        assert '"é/\u2028":"quote \\" backslash \\\\ newline \\n control \\u0001"' in frame
        assert '"float":1.0' in frame
        assert f'"big":{10**40}' in frame
        assert ": " not in frame

    @pytest.mark.parametrize("payload", ["text", None, 1, [1], True, Raw(b"[1]"), Raw(b'"text"')])
    def test_a_push_must_be_a_map(self, serializer: Serializer, payload: Any) -> None:
        with pytest.raises(NotAMap, match="JSON object"):
            serializer.push("1", None, "t", "e", payload)

    @pytest.mark.parametrize("response", ["text", None, 1, [1], True, {}, Raw(b'{"a":1}')])
    def test_a_reply_may_be_anything(self, serializer: Serializer, response: Any) -> None:
        got = sent(serializer.reply(Reply("1", "2", "t", "ok", response)))
        payload = got["payload"] if serializer is V1 else got[4]
        assert payload["response"] == ({"a": 1} if isinstance(response, Raw) else response)

    @pytest.mark.parametrize("what", [object(), {"a": object()}, {1, object()}])
    def test_what_is_no_json_raises(self, serializer: Serializer, what: Any) -> None:
        with pytest.raises(TypeError):
            serializer.reply(Reply("1", "2", "t", "ok", what))

    def test_text_that_is_no_utf8_raises(self, serializer: Serializer) -> None:
        with pytest.raises(UnicodeEncodeError):
            serializer.push("1", None, "t", "e", {"a": "\ud800"})
        with pytest.raises(UnicodeEncodeError):
            serializer.reply(Reply("1", "2", "t", "ok", "\ud800"))


@given(values)
def test_only_maps_are_maps(value: Any) -> None:
    assume(not isinstance(value, dict))
    with pytest.raises(NotAMap):
        encode_map(value)
    with pytest.raises(NotAMap):
        encode_map(Raw(json.dumps(value).encode()))


@given(maps)
def test_maps_are_encoded_once(value: dict[str, Any]) -> None:
    assert typed(json.loads(encode_map(value))) == typed(value)
    assert encode_map(Raw(encode_map(value))) == encode_map(value)


def test_a_broadcast_is_the_same_text_in_each_lane() -> None:
    made = Fastlane(b'"t"', Form.JSON, "e", b'{"a":1}')
    assert sent(made.frame(Lane.V2))[4] == sent(made.frame(Lane.V1))["payload"] == {"a": 1}


@pytest.mark.parametrize("payload", [b"password=hunter2", Raw(b'{"password":"hunter2"}'), Raw(b"password=hunter2%")])
def test_ms_01_to_03_a_printed_message_does_not_tell_its_payload(payload: Any) -> None:
    printed = f"{Message('1', None, 'room:a', 'say', payload)}"
    assert printed == f"Message('1', None, 'room:a', 'say', <{memoryview(payload).nbytes} bytes>)"


def test_a_message_for_an_applications_serializer_is_printed_without_its_payload_too() -> None:
    payload: Any = {"password": "secret"}
    assert f"{Message('1', None, 'room:a', 'say', payload)}" == "Message('1', None, 'room:a', 'say', <dict>)"
