"""Raw sockets: what their classes must look like, and what they may send."""

import pytest

from roost.gateway.clients.serializers import DEFAULT_SERIALIZERS, read_serializers
from roost.gateway.connect.mount import WebSocket
from roost.gateway.custom_serializer import OwnLane, Serializer
from roost.gateway.endpoint import Endpoint
from roost.gateway.raw_socket import RawSocket
from roost.shared.bus import Form, Letter, encode_letter
from roost.shared.serializer import BadClientMessage, Message
from tests.shared.client_frames import received_text


def test_methods_are_async() -> None:
    with pytest.raises(TypeError, match=r"Plain\.handle_in must be async"):

        class Plain(RawSocket):
            def handle_in(self, data: str | bytes) -> None:  # type: ignore[override]
                pass


def test_pings_are_handed_on_only_where_there_is_a_method() -> None:
    class Deaf(RawSocket):
        pass

    class Listening(RawSocket):
        async def handle_control(self, kind: str, payload: bytes) -> None:
            pass

    assert (Deaf.wants_controls, Listening.wants_controls) == (False, True)


def test_a_raw_socket_has_no_serializers() -> None:
    endpoint = Endpoint()
    assert endpoint.mount("/raw", RawSocket).serializers == ()


class Plain(Serializer):
    def encode(self, message: Message) -> str:
        if message.event == "crash":
            raise RuntimeError("asked to crash")
        return f"{message.topic} {message.event} {message.payload!r}"

    def decode(self, data: str | bytes) -> Message:
        topic, event = str(data).split(" ")
        return Message(None, None, topic, event, {"n": 1})  # type: ignore[arg-type]


class TestOwnSerializers:
    def test_options_are_checked_when_they_are_given(self) -> None:
        with pytest.raises(ValueError, match="is no requirement"):
            WebSocket(serializers=[(Plain(), "newest")])
        with pytest.raises(ValueError, match=r"derived from roost\.Serializer"):
            WebSocket(serializers=[(object(), "~> 1.0.0")])
        with pytest.raises(ValueError, match="must name at least one"):
            WebSocket(serializers=[])
        assert len(read_serializers([*DEFAULT_SERIALIZERS, (Plain(), "~> 3.0")])) == 3

    def test_messages(self) -> None:
        lane = OwnLane(Plain())
        message = lane.decode(b"a b", binary=False)
        assert (message.topic, message.event, bytes(message.payload)) == ("a", "b", b'{"n":1}')
        with pytest.raises(BadClientMessage, match="Plain cannot decode it"):
            lane.decode(b"one", binary=False)
        assert received_text(lane.push(None, None, "t", "e", {"n": 1})) == "t e {'n': 1}"

    def test_a_letter_is_encoded_once_even_if_that_fails(self) -> None:
        lane = OwnLane(Plain())
        letter = encode_letter(Letter(Form.JSON, "e", b'{"n":1}'))
        passes, frame = lane.broadcast("t", letter, ())
        assert passes
        assert lane.broadcast("t", letter, ())[1] is frame
        assert frame is not None
        assert received_text(frame) == "t e {'n': 1}"
        bad = encode_letter(Letter(Form.JSON, "crash", b"{}"))
        with pytest.raises(RuntimeError):
            lane.broadcast("t", bad, ())
        assert lane.broadcast("t", bad, ()) == (True, None)

    def test_what_is_for_code_does_not_pass(self) -> None:
        lane = OwnLane(Plain())
        assert lane.broadcast("t", encode_letter(Letter(Form.JSON, "e", b"{}")), ("e",)) == (False, None)
        assert lane.broadcast("t", encode_letter(Letter(Form.PLAIN, "", b"\x01")), ()) == (False, None)
