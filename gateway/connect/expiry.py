"""Connections that are good until a certain time, such as that of a token. Pure."""

import heapq
from typing import Final, Generic, TypeVar

C = TypeVar("C")

SLACK: Final = 1000
"""Entries of connections that are gone or were renewed, beyond as many as there are: then the heap is made anew."""


class Expiry(Generic[C]):
    """Who is watched, and until when. Costs nothing for connections without a time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._times: dict[int, tuple[float, C]] = {}

    def watch(self, number: int, connection: C, at: float) -> None:
        """The connection of this number is good until then; replaces what was said before."""
        self._times[number] = (at, connection)
        heapq.heappush(self._heap, (at, number))
        if len(self._heap) > 2 * len(self._times) + SLACK:
            self._heap = [(at, number) for number, (at, _) in self._times.items()]
            heapq.heapify(self._heap)

    def forget(self, number: int) -> None:
        """The connection is gone."""
        self._times.pop(number, None)

    def due(self, now: float) -> list[C]:
        """Whose time has come; they are not watched any more."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, number = heapq.heappop(self._heap)
            watched = self._times.get(number)
            if watched is not None and watched[0] == at:
                del self._times[number]
                found.append(watched[1])
        return found

    def next(self) -> float | None:
        """When to look again; None if nobody is watched."""
        while self._heap:
            at, number = self._heap[0]
            if number in self._times and self._times[number][0] == at:
                return at
            heapq.heappop(self._heap)
        return None
