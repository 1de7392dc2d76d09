"""The bytes between nodes: read back as written, refused otherwise, and those of a neighbouring version."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.broker.bridge.wire import (
    MAX_HEAD_BYTES,
    NEWEST,
    OLDEST,
    Answer,
    Beat,
    Directs,
    Goodbye,
    Message,
    Origin,
    Probe,
    Probed,
    Publishes,
    Question,
    Unreadable,
    common_version,
    decode,
    encode,
    encode_publishes,
)
from roost.shared.bus import Form
from roost.shared.crossing import Crossing

ORIGIN = Origin("web-1", "node id", 7)
crossings = st.lists(st.builds(Crossing, st.text(), st.sampled_from(Form), st.text(), st.binary()), max_size=5)
numbers = st.integers(0, 2**53)
messages = st.one_of(
    st.builds(Publishes, st.just(ORIGIN), st.integers(0, 1023), numbers, crossings),
    st.builds(Directs, st.just(ORIGIN), numbers, crossings),
    st.builds(
        Beat,
        st.just(ORIGIN),
        numbers,
        *[st.integers(0, 9)] * 2,
        st.text().filter(str.isprintable),
        st.dictionaries(st.integers(0, 1023), numbers),
        st.dictionaries(st.text(min_size=1), numbers),
        st.booleans(),
    ),
    st.just(Goodbye(ORIGIN)),
    st.builds(Question, st.just(ORIGIN), numbers, st.binary()),
    st.builds(Answer, st.just(ORIGIN), numbers, st.binary(), st.text()),
    st.builds(Probe, st.just(ORIGIN), numbers, st.lists(st.integers(0, 1023))),
    st.builds(Probed, st.just(ORIGIN), numbers, st.dictionaries(st.integers(0, 1023), numbers)),
)


@given(messages)
def test_what_is_written_is_read(message: Message) -> None:
    assert decode(encode(message)) == message


@given(crossings, st.integers(0, 1023), numbers)
def test_publishes_that_are_encoded_already(sent: list[Crossing], bucket: int, first: int) -> None:
    raw = [msgspec.Raw(msgspec.msgpack.encode(crossing)) for crossing in sent]
    assert decode(encode_publishes(ORIGIN, bucket, first, raw, NEWEST)) == Publishes(ORIGIN, bucket, first, sent)
    assert decode(encode_publishes(ORIGIN, None, first, raw, NEWEST)) == Directs(ORIGIN, first, sent)


@given(st.text(max_size=255), st.integers(0, 2**63))
def test_the_head_of_publishes_is_small(name: str, number: int) -> None:
    origin = Origin(name.encode()[:255].decode(errors="ignore"), "x" * 64, number)
    assert len(encode_publishes(origin, 1023, number, [], NEWEST)) <= MAX_HEAD_BYTES


@given(st.binary())
def test_anything_else_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        decode(data)
    except Unreadable:
        return
    assert OLDEST <= data[0] <= NEWEST


@pytest.mark.parametrize("version", [0, NEWEST + 1, 255])
def test_another_version_is_named(version: int) -> None:
    with pytest.raises(Unreadable, match=f"version {version}; this node reads {OLDEST} to {NEWEST}"):
        decode(bytes([version]) + encode(Goodbye(ORIGIN))[1:])


def test_a_later_release_may_add_fields() -> None:
    later = [3, ["web-1", "node id", 7, "more"], 1, 1, 2, "9.0", {5: 6}, {}, True, False, "and more"]
    assert decode(b"\x01" + msgspec.msgpack.encode(later)) == Beat(ORIGIN, 1, 1, 2, "9.0", {5: 6}, {}, asks=True)


def test_an_earlier_release_had_fewer() -> None:
    earlier = [3, ["web-1", "node id", 7], 1, 1, 1, "0.0", {}, {}]
    assert decode(b"\x01" + msgspec.msgpack.encode(earlier)) == Beat(ORIGIN, 1, 1, 1, "0.0", {}, {}, asks=False)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5))))
def test_the_version_that_is_written_can_be_read_here_too(ranges: list[tuple[int, int]]) -> None:
    assert OLDEST <= common_version(ranges) <= NEWEST


def test_a_node_that_reads_more_is_no_reason_to_write_more() -> None:
    assert common_version([(1, 2), (2, 3)]) == NEWEST


@pytest.mark.parametrize(
    "said",
    [
        [4, ["", "id", 1]],
        [4, ["a\nb", "id", 1]],
        [4, ["a", "x" * 256, 1]],
        [4, ["a", "id", -1]],
        [4, ["a", "id", 2**53 + 1]],
        [1, ["a", "id", 1], 1024, 1, []],
        [1, ["a", "id", 1], 5, -1, []],
        [3, ["a", "id", 1], 1, 1, 1, "\x1b[2J", {}, {}],
        [3, ["a", "id", 1], 1, 1, 256, "1", {}, {}],
        [3, ["a", "id", 1], 1, 1, 1, "1", {1024: 1}, {}],
        [3, ["a", "id", 1], 1, 1, 1, "1", {5: 2**64 - 1}, {}],
        [3, ["a", "id", 1], 1, 1, 1, "1", {}, {"a": 2**64 - 1}],
    ],
)
def test_names_and_numbers_that_cannot_be_are_refused(said: list[object]) -> None:
    with pytest.raises(Unreadable):
        decode(b"\x01" + msgspec.msgpack.encode(said))
