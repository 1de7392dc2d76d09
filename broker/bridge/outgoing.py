"""What a node has for the others: numbered, kept within bounds, handed to the engine in batches, repeated. Pure.

One batch is under way at a time, and while it is the next one grows; so batches are as large as the load wants them.
What the engine did not confirm before it went away comes first in the next batch. Numbers are given when a publish is
taken, also to one that finds no room: the others see by its number that it is missing.
"""

from collections import deque
from typing import Final, NamedTuple

import msgspec

from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import MAX_HEAD_BYTES, Origin, encode_publishes

MAX_BATCH_BYTES: Final = 1024 * 1024
"""A batch of publishes has at most about so many bytes, so that beats and questions do not wait for long."""
CROSSING_BYTES: Final = 96
"""What a publish that waits takes in memory beside its own bytes, about."""

Stream = int | str
"""What is numbered together: a bucket's publishes, or those for the node of that name."""


class ToSend(NamedTuple):
    """A message for the engine."""

    subject: str
    data: bytes


class _Waiting(NamedTuple):
    number: int
    crossing: msgspec.Raw


class Outgoing:
    """The publishes of one node for others."""

    def __init__(self, origin: Origin, subjects: Subjects, limit: int) -> None:
        """`limit`: bytes that may wait, what is under way included; if nothing waits, one more is taken."""
        self._origin = origin
        self._subjects = subjects
        self._limit = limit
        self._last: dict[Stream, int] = {}
        self._waiting: dict[Stream, deque[_Waiting]] = {}
        """In the order in which streams began to wait."""
        self._under_way: dict[Stream, list[_Waiting]] = {}
        self.bytes = 0
        """Of all that waits or is under way."""
        self.count = 0
        self.sent = 0
        """Publishes that the engine has confirmed."""
        self.dropped = 0
        """Publishes that found no room, or were too large."""

    def take(self, stream: Stream, crossing: bytes) -> bool:
        """Number a publish and keep it. False if there is no room: then it is dropped."""
        number = self._last[stream] = self._last.get(stream, 0) + 1
        size = len(crossing) + CROSSING_BYTES
        if self.count and self.bytes + size > self._limit:
            self.dropped += 1
            return False
        self._waiting.setdefault(stream, deque()).append(_Waiting(number, msgspec.Raw(crossing)))
        self.bytes += size
        self.count += 1
        return True

    @property
    def waits(self) -> bool:
        """Whether anything is to be put into a batch."""
        return bool(self._waiting)

    def batch(self, max_payload: int, version: int) -> list[ToSend]:
        """The next batch, as far as it goes; no other may be under way."""
        assert not self._under_way
        room = MAX_BATCH_BYTES
        messages: list[ToSend] = []
        while self._waiting and room > 0:
            stream = next(iter(self._waiting))
            taken = self._take_run(stream, room, max_payload - MAX_HEAD_BYTES)
            if not taken:
                continue
            room -= sum(len(one.crossing) for one in taken)
            self._under_way.setdefault(stream, []).extend(taken)
            messages.append(self._message(stream, taken, version))
        return messages

    def confirmed(self) -> None:
        """The engine has what was under way."""
        for sent in self._under_way.values():
            self._forget(sent)
            self.sent += len(sent)
        self._under_way = {}

    def lost(self) -> None:
        """Nobody knows what became of what was under way: it is to be sent again, before what waits."""
        again = {stream: deque(sent) for stream, sent in self._under_way.items()}
        for stream, waiting in self._waiting.items():
            again.setdefault(stream, deque()).extend(waiting)
        self._waiting, self._under_way = again, {}

    def settled(self) -> tuple[dict[int, int], dict[str, int]]:
        """By bucket and by node: the last number that is sent, at the latest with the batch taken last, or dropped."""
        buckets: dict[int, int] = {}
        nodes: dict[str, int] = {}
        for stream, last in self._last.items():
            waiting = self._waiting.get(stream)
            settled = waiting[0].number - 1 if waiting else last
            if isinstance(stream, int):
                buckets[stream] = settled
            else:
                nodes[stream] = settled
        return buckets, nodes

    def _take_run(self, stream: Stream, room: int, limit: int) -> list[_Waiting]:
        """What waits first of a stream, numbered without a gap: at least one, unless that is too large for ever."""
        waiting = self._waiting.pop(stream)
        expected = waiting[0].number
        taken: list[_Waiting] = []
        while waiting and waiting[0].number == expected + len(taken):
            size = len(waiting[0].crossing)
            if taken and size > min(room, limit):
                break
            one = waiting.popleft()
            if size > limit:
                self._forget([one])
                self.dropped += 1
                break
            room -= size
            limit -= size
            taken.append(one)
        if waiting:
            self._waiting[stream] = waiting
        return taken

    def _message(self, stream: Stream, taken: list[_Waiting], version: int) -> ToSend:
        first, crossings = taken[0].number, [one.crossing for one in taken]
        if isinstance(stream, int):
            return ToSend(
                self._subjects.bucket(stream), encode_publishes(self._origin, stream, first, crossings, version)
            )
        return ToSend(self._subjects.node(stream), encode_publishes(self._origin, None, first, crossings, version))

    def _forget(self, gone: list[_Waiting]) -> None:
        self.bytes -= sum(len(one.crossing) + CROSSING_BYTES for one in gone)
        self.count -= len(gone)
