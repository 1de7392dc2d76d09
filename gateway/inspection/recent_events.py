"""What happened last to a worker's sockets: one ring for all, so that an idle client costs nothing. Pure."""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_EVENTS: Final = 1024
"""Events that a worker remembers; older ones are forgotten."""


class RecentEvent(NamedTuple):
    """Something that happened to a socket."""

    time: float
    socket: int
    event: str
    topic: str | None


class RecentEvents:
    """The last events of one worker."""

    __slots__ = ("_events",)

    def __init__(self, limit: int = MAX_EVENTS) -> None:
        self._events: deque[RecentEvent] = deque(maxlen=limit)

    def note(self, time: float, socket: int, event: str, topic: str | None = None) -> None:
        """Something happened."""
        self._events.append(RecentEvent(time, socket, event, topic))

    def of(self, socket: int) -> Iterator[RecentEvent]:
        """What is remembered of one socket, the oldest first."""
        return (event for event in self._events if event.socket == socket)
