"""Our own beats on their way through the engine and back: whether the connection carries anything at all. Pure."""

from typing import Final

DEAF_BEATS: Final = 3
"""So many of our own beats that did not come back, and the connection is made anew."""


class Canary:
    """The beats of one bridge."""

    def __init__(self) -> None:
        self.sent = 0
        """The number of the last beat."""
        self.round_trip: float | None = None
        """Seconds that the last one took that came back."""
        self.deaf = False
        """Whether the connection was found deaf, and no beat has come back since."""
        self._times: dict[int, float] = {}
        self._missed = 0

    def connected(self) -> None:
        """There is a new connection."""
        self._missed = 0

    def send(self, now: float) -> int:
        """A beat is sent; returns its number."""
        self.sent += 1
        self._times[self.sent] = now
        self._times.pop(self.sent - DEAF_BEATS - 1, None)
        return self.sent

    def came_back(self, number: int, now: float) -> None:
        """A beat was heard."""
        self._missed = 0
        self.deaf = False
        if (sent := self._times.pop(number, None)) is not None:
            self.round_trip = now - sent

    def tick(self) -> bool:
        """It is time for a beat. Whether too many have not come back."""
        self._missed += 1
        self.deaf |= self._missed > DEAF_BEATS
        return self._missed > DEAF_BEATS
