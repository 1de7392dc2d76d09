"""A worker's publishes that are not through, within their window, and those that wait for room in it. Pure.

What is in the log has a number and may have to be said again; what waits has none yet. Who waits is let in in order,
and nobody passes those who wait.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from roost.shared.bus import Form, Reach

PUBLISH_WINDOW: Final = 1024 * 1024
"""Bytes of publishes that are not through; beyond them nothing is admitted, but an empty log admits anything."""


class Logged(msgspec.Struct, frozen=True, gc=False):
    """A publish that is not through."""

    number: int
    item: msgspec.Raw
    size: int


class Waiting(NamedTuple):
    """A publish for which there is no credit yet."""

    topic: str
    form: Form
    event: str
    payload: bytes
    sender: int
    reach: Reach = Reach.CLUSTER
    trace: int = 0


class PublishLog:
    """The log of one worker, and the queue before it."""

    def __init__(self, window: int) -> None:
        self.size = 0
        """Bytes in the log."""
        self._window = window
        self._logged: deque[Logged] = deque()
        self._waiting: OrderedDict[Any, Waiting] = OrderedDict()
        """By ticket, in order."""

    def __len__(self) -> int:
        return len(self._logged)

    @property
    def waiting(self) -> int:
        """How many publishes wait for credit."""
        return len(self._waiting)

    def has_room(self) -> bool:
        """Whether one more may be appended, however large it is."""
        return not self._logged or self.size < self._window

    def append(self, number: int, item: msgspec.Raw, size: int) -> None:
        """Keep what was published, so many bytes, until it is through."""
        self._logged.append(Logged(number, item, size))
        self.size += size

    def cut(self, through: int) -> None:
        """All up to this number is through at every slot (W8)."""
        logged = self._logged
        while logged and logged[0].number <= through:
            self.size -= logged.popleft().size

    def after(self, through: int) -> Iterator[msgspec.Raw]:
        """What is to be said again to a slot where all up to `through` is through, in order."""
        return (logged.item for logged in self._logged if logged.number > through)

    def wait(self, ticket: Any, waiting: Waiting) -> None:
        """Queue behind all that wait. A ticket waits for one publish at a time."""
        self._waiting[ticket] = waiting

    def withdraw(self, ticket: Any) -> None:
        """Whoever has the ticket does not want to publish any more; nothing happens if it does not wait."""
        self._waiting.pop(ticket, None)

    def next_waiting(self) -> tuple[Any, Waiting]:
        """Take who has waited longest."""
        return self._waiting.popitem(last=False)
