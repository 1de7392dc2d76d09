"""Large messages to workers of other nodes: whole again, whatever else is under way, or not at all."""

from itertools import islice, zip_longest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.bus import message_parts
from roost.gateway.bus.message_parts import MAX_PART_BYTES, Parts, part_size, split


def parts_of(message: bytes, size: int, name: str) -> list[list[Any]]:
    return [list(part) for part in split(message, size, name)]


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=5), st.integers(1, 20))
def test_messages_whose_parts_come_in_turns_are_whole(messages: list[bytes], size: int) -> None:
    parts = Parts()
    ways = [parts_of(message, size, f"b 1 {number}") for number, message in enumerate(messages)]
    assert all(len(part[3]) <= size for way in ways for part in way)
    taken = [parts.take(*part) for round_ in zip_longest(*ways) for part in round_ if part is not None]
    assert sorted(whole for whole in taken if whole is not None) == sorted(messages)
    assert not parts._waiting
    assert not parts._size


@given(st.binary(min_size=10, max_size=50), st.integers(1, 3), st.data())
def test_a_message_of_which_a_part_is_lost_never_comes(message: bytes, size: int, data: st.DataObject) -> None:
    way = parts_of(message, size, "b 1 1")
    del way[data.draw(st.integers(0, len(way) - 2))]
    parts = Parts()
    assert {parts.take(*part) for part in way} == {None}
    assert not parts._size
    assert parts.take(*parts_of(b"next", 4, "b 1 2")[0]) == b"next"


def test_what_waits_for_ever_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_parts, "MAX_WAITING_BYTES", 10)
    parts = Parts()
    first, second = parts_of(b"x" * 8, 4, "b 1 1"), parts_of(b"y" * 12, 4, "b 1 2")
    assert parts.take(*first[0]) is None
    assert [parts.take(*part) for part in islice(second, 2)] == [None, None]
    assert parts.take(*first[1]) is None
    assert parts.take(*second[2]) == b"y" * 12
    assert not parts._size


def test_parts_are_as_large_as_the_engine_takes() -> None:
    assert part_size(2**30) == MAX_PART_BYTES
    assert part_size(64 * 1024) < 64 * 1024
    assert part_size(1) == 1
