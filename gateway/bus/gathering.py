"""Whether a turn's subscriptions leave at its end, or wait for those of the next turn. Pure.

While many clients join at once, each turn of the loop brings a few subscriptions. A parcel costs both processes several
wake-ups, whatever is in it, so it waits as long as every turn brings more. Nothing waits for a clock: a turn without a
new subscription is the last one, and so is one with a publish.
"""

from typing import Final

MAX_TURNS: Final = 8
"""Turns of the loop for which a subscription waits at most."""


class Gathering:
    """What has gathered in the turns since something left."""

    __slots__ = ("_asked", "_hurried", "_seen", "_turns")

    def __init__(self) -> None:
        self._asked = 0
        self._seen = 0
        """How many had asked at the end of the turn before."""
        self._turns = 0
        self._hurried = False

    def subscribe(self) -> None:
        """Somebody subscribes."""
        self._asked += 1

    def hurry(self) -> None:
        """Something is to leave that does not wait."""
        self._hurried = True

    def waits(self) -> bool:
        """To be asked once at the end of each turn: whether another turn is to be waited for."""
        if self._asked > self._seen and self._turns < MAX_TURNS and not self._hurried:
            self._seen = self._asked
            self._turns += 1
            return True
        self._asked = self._seen = self._turns = 0
        self._hurried = False
        return False
