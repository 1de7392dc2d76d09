"""A client that reads every byte it receives, where the others only count theirs."""

import time
from typing import Final, TypeVar

from tests.load.dialects.dialect import Receive
from tests.load.recorder import Recorder
from tests.load.room import Room
from tests.load.wire import STAMP_BYTES, Shape, read_stamp

MOST_WITNESSES: Final = 16
"""Witnesses of one process: few enough to cost little, enough to see the shape of a broadcast."""
ROOMS_WITNESSED: Final = 8
"""Rooms among which they are spread, if members are many."""


T = TypeVar("T")


class Witness:
    """Called instead of the socket's own receive: checks each frame, records how late it was."""

    def __init__(self, receive: Receive, room: Room, shape: Shape, recorder: Recorder, heard: bytes) -> None:
        """`heard` is what was received before there was a witness."""
        self.corrupt = 0
        self._receive = receive
        self._room = room
        self._head, self._tail = shape.head, shape.tail
        self._length = shape.length
        self._recorder = recorder
        self._rest = b""
        self._number = 0
        self._hear(heard)

    def __call__(self, buffer: memoryview) -> int:
        size = self._receive(buffer)
        self._hear(bytes(buffer[:size]))
        return size

    def _hear(self, data: bytes) -> None:
        now = time.monotonic_ns()
        data = self._rest + data
        length, head, tail = self._length, self._head, self._tail
        start, stamp_at, tail_at = 0, len(head), len(head) + STAMP_BYTES
        while start + length <= len(data):
            if data.startswith(head, start) and data.startswith(tail, start + tail_at):
                self._check(data[start + stamp_at : start + tail_at], now)
            else:
                self.corrupt += 1
            start += length
        self._rest = data[start:]

    def _check(self, stamp: bytes, now: int) -> None:
        try:
            due, number = read_stamp(stamp)
        except ValueError:
            self.corrupt += 1
            return
        if number != self._number + 1:
            self.corrupt += 1
        self._number = number
        self._recorder.latency.record(now - due)
        self._room.seen(number, now)


def chosen(rooms: list[Room]) -> list[tuple[Room, int]]:
    """Who is to be a witness: members of rooms spread evenly over all, spread evenly over those who joined."""
    many = any(len(room.members) > 1 for room in rooms)
    picked = _evenly(rooms, ROOMS_WITNESSED if many else MOST_WITNESSES)
    return [(room, member) for room in picked for member in _evenly(room.members, MOST_WITNESSES // len(picked))]


def _evenly(items: list[T], most: int) -> list[T]:
    step = max(1.0, len(items) / most)
    return [items[int(index * step)] for index in range(min(most, len(items)))]
