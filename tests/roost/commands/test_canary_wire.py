"""The canary's messages: read as the server's own serializer writes them, cut wherever the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.commands.canary_wire import Event, Frames, NotForClients, Numbered, Vocabulary, client_frame
from roost.gateway.transports.frame_reader import FrameReader
from roost.shared.canary import NUMBERED, canary_topic
from roost.shared.frames import CloseCode, binary_frame, close_frame, frame_payload, text_frame
from roost.shared.serializer import V2, Reply

payloads = st.binary(max_size=300) | st.integers(65_000, 66_000).map(bytes)


@given(st.lists(payloads), st.lists(st.integers(1, 200)))
def test_frames_are_cut_wherever_the_bytes_are(contents: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(binary_frame, contents))
    frames = Frames()
    found = []
    for cut in cuts:
        found += frames.feed(data[:cut])
        data = data[cut:]
    found += frames.feed(data)
    assert found == [(2, content) for content in contents]


@pytest.mark.parametrize("frame", [b"\x81\x81", b"\x01\x01a", b"\x00\x01a", b"\xc1\x01a", b"\x81\xfe"])
def test_frames_that_no_server_of_ours_sends_are_refused(frame: bytes) -> None:
    with pytest.raises(NotForClients, match="frame"):
        Frames().feed(frame)


def test_a_close_frame_is_one_of_many() -> None:
    assert Frames().feed(text_frame(b"{}") + close_frame(CloseCode.SERVICE_RESTART)) == [(1, b"{}"), (8, b"\x03\xf4")]


@given(st.integers(0, 99), st.integers(1, 10**9), st.integers(1, 10**12))
def test_a_broadcast_is_read_as_the_server_writes_it(topic: int, publisher: int, number: int) -> None:
    vocabulary = Vocabulary("run")
    pushed = V2.decode(vocabulary.publish(topic, "1", "2", publisher, number), binary=False)
    frame = V2.push(None, None, canary_topic("run", topic), NUMBERED, pushed.payload)
    assert vocabulary.read(frame_payload(frame)) == Numbered(topic, publisher, number)
    assert not isinstance(Vocabulary("other").read(frame_payload(frame)), Numbered)


def test_replies_are_known_by_topic_and_ref() -> None:
    vocabulary = Vocabulary("run")
    join = V2.decode(vocabulary.join(3, "7"), binary=False)
    assert (join.join_ref, join.ref, join.event) == ("7", "7", "phx_join")
    answer = V2.reply(Reply("7", "7", join.topic, "ok", {"worker": 4}))
    payload = {"status": "ok", "response": {"worker": 4}}
    assert vocabulary.read(frame_payload(answer)) == Event(3, "7", "phx_reply", payload)
    other = V2.reply(Reply(None, "0", "phoenix", "ok", {}))
    assert vocabulary.read(frame_payload(other)) == Event(None, "0", "phx_reply", {"status": "ok", "response": {}})


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"[1,2,3,4]", b"\xff"])
def test_what_is_no_message_is_refused(text: bytes) -> None:
    with pytest.raises(NotForClients):
        Vocabulary("run").read(text)


@given(st.text().map(str.encode))
def test_the_server_reads_what_a_client_writes(text: bytes) -> None:
    assert [bytes(message) for message in FrameReader().feed(client_frame(text))] == [text]
