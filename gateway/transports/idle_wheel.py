"""Which connections have been silent for too long, without a timer for each. Pure.

A wheel of coarse time slots: a connection sits in one slot and is looked at when the slot comes round; one that was
heard meanwhile moves on. Nobody is found silent before the limit, everybody within one slot after it, an eighth of the
limit.
"""

from typing import Final, Generic, Protocol, TypeVar

SLOTS_A_LIMIT: Final = 8


class Heard(Protocol):
    """A connection that notes when bytes arrived, by copying the wheel's `now`."""

    heard: float


H = TypeVar("H", bound=Heard)


class IdleWheel(Generic[H]):
    """Connections with one limit, in seconds; with the limit None nothing is watched."""

    def __init__(self, limit: float | None, now: float) -> None:
        self.period = None if limit is None else limit / SLOTS_A_LIMIT
        """Seconds between two calls of `turn`; None if it need not be called."""
        self.now = now
        """The time of the last turn: as exact as noting the time has to be."""
        self._limit = limit
        self._slots: dict[int, set[H]] = {}
        self._turns = 0

    def add(self, connection: H) -> None:
        """Watch a connection from now on."""
        connection.heard = self.now
        if self._limit is None:
            return
        self._slots.setdefault(self._turns + SLOTS_A_LIMIT + 1, set()).add(connection)

    @property
    def watched(self) -> int:
        """How many are watched."""
        return sum(map(len, self._slots.values()))

    def remove(self, connection: H) -> None:
        """Watch a connection no longer."""
        for slot in self._slots.values():
            slot.discard(connection)

    def turn(self, now: float) -> list[H]:
        """Move on by one slot. Answers who has been silent for the limit; these are not watched any more."""
        if self._limit is None or self.period is None:
            return []
        self._turns += 1
        self.now = now
        silent = []
        for connection in self._slots.pop(self._turns, ()):
            # It may have been heard up to one period after the turn that it noted.
            left = connection.heard + self.period + self._limit - now
            if left <= 0:
                silent.append(connection)
            else:
                turns = self._turns + max(1, round(left / self.period))
                self._slots.setdefault(turns, set()).add(connection)
        return silent
