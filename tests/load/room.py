"""The books of one room: what was sent into it, what every member has received. Pure.

All frames of a room are equally long, so a member's books are the number of bytes that it has received, and a message
is complete when the member with the fewest bytes has that many frames.
"""

from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import Any


class Room:
    """One room, as far as its members are this process's."""

    __slots__ = (
        "_backwards",
        "_first_seen",
        "_laggard",
        "_receipts",
        "done",
        "dues",
        "goal",
        "length",
        "members",
        "number",
        "sent",
        "total",
        "witnessed",
    )

    def __init__(self, number: int, members: list[int]) -> None:
        """`members` are indices into the list of received bytes."""
        self.number = number
        self.members = members
        self.length = 0
        """Bytes of a frame."""
        self.sent = 0
        self.done = 0
        """Messages that every member here has received."""
        self.total = 0
        """Bytes received by all members together; whoever reads adds to it."""
        self.goal = 0
        """The total below which `done` cannot grow."""
        self.dues: deque[int] = deque()
        """When the messages that are not complete were due."""
        self.witnessed = False
        self._first_seen: dict[int, int] = {}
        self._backwards = members[::-1]
        self._receipts: Callable[[list[int]], Any] = itemgetter(*self._backwards)
        self._laggard = members[-1]
        """Had received least when all were looked at; servers tend to serve in the order of joining, so that it is the
        last of those who had."""

    def measure(self, length: int) -> None:
        """From now on it is known how long a frame is."""
        self.length = length
        self.goal = length * len(self.members)

    def seen(self, number: int, now: int) -> None:
        """A witness has received a message."""
        if number not in self._first_seen:
            self._first_seen[number] = now

    def first_seen(self, number: int) -> int | None:
        """When the first witness had it; asked once."""
        return self._first_seen.pop(number, None)

    def settle(self, received: list[int]) -> int:
        """Look who has what; returns how many more messages are complete."""
        if received[self._laggard] < (self.done + 1) * self.length:
            return 0
        if self.total == self.sent * self.length * len(self.members):
            done = self.sent
        elif len(self.members) == 1:
            done = self.total // self.length
        else:
            done = self._fewest(received) // self.length
        before, self.done = self.done, min(done, self.sent)
        self.goal = (self.done + 1) * self.length * len(self.members)
        return self.done - before

    def _fewest(self, received: list[int]) -> int:
        receipts: tuple[int, ...] = self._receipts(received)
        fewest = min(receipts)
        self._laggard = self._backwards[receipts.index(fewest)]
        return fewest


def missing_and_surplus(received: int, expected: int, length: int) -> tuple[int, int]:
    """Messages that a member did not get, and that it got too often; a part of one counts as one."""
    if received < expected:
        return -((received - expected) // length), 0
    return 0, -((expected - received) // length)
