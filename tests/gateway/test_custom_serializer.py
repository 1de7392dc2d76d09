"""What a serializer of an application's own may read: what no other client and no shard could be told is refused."""

import json
from contextlib import nullcontext
from typing import Any

import pytest

from roost.gateway.custom_serializer import OwnLane, Serializer
from roost.shared.message_limits import MAX_FIELD_BYTES
from roost.shared.serializer import BadClientMessage, Message


class Json(Serializer):
    """With Python's own json, which reads what is no text: halves of surrogates."""

    def encode(self, message: Message) -> str:
        return json.dumps([message.join_ref, message.ref, message.topic, message.event, message.payload])

    def decode(self, data: str | bytes) -> Message:
        return Message(*json.loads(data))


class Fixed(Json):
    """Reads the same whatever comes."""

    def __init__(self, message: Message) -> None:
        self.message = message

    def decode(self, data: str | bytes) -> Message:
        return self.message


def test_what_it_reads_arrives() -> None:
    message = OwnLane(Json()).decode(b'["1", 2, "room:\\u00e9", "say", {"a": [null]}]', binary=False)
    assert (message.join_ref, message.ref, message.topic, message.event) == ("1", 2, "room:é", "say")
    assert bytes(message.payload) == b'{"a":[null]}'


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("odd", ["\ud800", ["a", {"\udfff": 1}], object(), {1: object()}])
def test_what_cannot_be_sent_on_is_refused(place: int, odd: Any) -> None:
    fields: list[Any] = ["1", "2", "room:a", "say", {}]
    fields[place] = odd
    with pytest.raises(BadClientMessage, match="Fixed cannot decode it"):
        OwnLane(Fixed(Message(*fields))).decode(b"", binary=False)


@pytest.mark.parametrize("place", range(4))
def test_what_is_too_long_is_refused_however_short_it_came(place: int) -> None:
    fields: list[Any] = ["1", "2", "room:a", "say", {}]
    for size in (MAX_FIELD_BYTES, MAX_FIELD_BYTES + 1):
        fields[place] = "x" * size
        lane = OwnLane(Fixed(Message(*fields)))
        with pytest.raises(BadClientMessage, match="longer than") if size > MAX_FIELD_BYTES else nullcontext():
            lane.decode(b"", binary=False)


@pytest.mark.parametrize(
    "text", ["{}", "[]", "no json", '["1","2","room:a","say"]', '["1","2","room:\\ud800","say",{}]']
)
def test_what_it_cannot_read_is_refused(text: str) -> None:
    with pytest.raises(BadClientMessage, match="Json cannot decode it"):
        OwnLane(Json()).decode(text.encode(), binary=False)
