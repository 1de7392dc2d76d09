"""Bodies of long-poll requests and answers."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.clients.serializers import BUILT_IN, read_serializers
from roost.gateway.custom_serializer import Serializer
from roost.gateway.transports.long_poll_messages import (
    MAX_BATCH,
    NDJSON,
    BadBatch,
    ClientMessage,
    answer,
    read_body,
    serializers_for_polls,
    texts,
)
from roost.shared.bus import Lane
from roost.shared.frames import text_frame
from roost.shared.serializer import V1, V2, Message, Reply

arrays = st.lists(st.text() | st.none() | st.integers()).map(lambda values: json.dumps(values).encode())
texts_of_clients = arrays.map(lambda data: ClientMessage(data, binary=False))
binaries = st.binary().map(lambda data: ClientMessage(data, binary=True))
messages = st.lists(texts_of_clients | binaries, min_size=1, max_size=MAX_BATCH + 5)


def written(message: ClientMessage) -> bytes:
    return base64.b64encode(message.data) if message.binary else message.data


@given(messages, st.sampled_from([b"\n", b"\r\n"]))
def test_batches_come_apart_up_to_the_limit(batch: list[ClientMessage], newline: bytes) -> None:
    assert read_body(newline.join(map(written, batch)), NDJSON) == batch[:MAX_BATCH]


@given(st.binary(), st.text().filter(lambda text: text != NDJSON))
def test_any_other_body_is_one_message(body: bytes, content_type: str) -> None:
    assert read_body(body, content_type) == [ClientMessage(body, binary=False)]


@given(st.binary())
def test_any_batch_is_read_or_refused(body: bytes) -> None:
    try:
        assert 1 <= len(read_body(body, NDJSON)) <= MAX_BATCH
    except BadBatch:
        pass


@pytest.mark.parametrize("part", [b"{}", b"AA", b"AA=", b"A-_A", b" AAAA", b"AAAA\n!"])
def test_what_is_neither_an_array_nor_base64(part: bytes) -> None:
    with pytest.raises(BadBatch, match="base64"):
        read_body(part, NDJSON)


@given(st.lists(st.text()), st.text())
def test_answers_carry_the_text_of_frames(given: list[str], token: str) -> None:
    found = texts(b"".join(text_frame(text.encode()) for text in given))
    assert found == given
    assert json.loads(answer(200, token, found)) == {"status": 200, "token": token, "messages": given}


def test_answers_to_posts_are_a_status_alone() -> None:
    assert json.loads(answer(408)) == {"status": 408}


class Own(Serializer):
    """Texts are texts, bytes are bytes."""

    def encode(self, message: Message) -> str | bytes:
        payload: Any = message.payload
        return payload if isinstance(payload, bytes) else repr(payload)

    def decode(self, data: Any) -> Message:
        return Message(None, None, "t", "e", data)


def test_an_applications_serializer_sends_no_binary_messages_to_a_poll_either() -> None:
    ((polled, requirement),) = serializers_for_polls(read_serializers([(Own(), ">= 3.0.0")]))
    assert requirement.text == ">= 3.0.0"
    assert polled.lane is Lane.LETTER
    assert polled.push("1", None, "t", "e", {"a": 1}) == text_frame(b"{'a': 1}")
    with pytest.raises(TypeError, match="polls"):
        polled.push("1", None, "t", "e", b"")
    reply = Reply("1", "2", "t", "ok", {})
    assert polled.reply(reply) == text_frame(b"{'status': 'ok', 'response': {}}")


def test_v2_sends_no_binary_messages_to_a_poll() -> None:
    (old, _), (polled, _) = serializers_for_polls(BUILT_IN)
    assert old is V1
    assert polled.lane is V2.lane
    assert polled.push("1", None, "t", "e", {}) == V2.push("1", None, "t", "e", {})
    with pytest.raises(TypeError, match="polls"):
        polled.push("1", None, "t", "e", b"")
    with pytest.raises(TypeError, match="polls"):
        polled.reply(Reply("1", "2", "t", "ok", b""))
