"""Which events of which replicas are known: a clock, and a cloud of numbers that came before their turn. Pure.

An event of a replica is its *dot*: the replica's name and a number that the replica counts up. Numbers 1 to n without
a hole are the clock's n; whatever came beyond a hole waits in the cloud until the hole is filled.
"""

from collections.abc import Iterable

from roost.gateway.presence.clock import Clock


class CausalContext:
    """The dots that are known."""

    __slots__ = ("clock", "clouds")

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: dict[str, int] = dict(clock or {})
        self.clouds: dict[str, set[int]] = {}

    def covers(self, replica: str, number: int) -> bool:
        """Whether this dot is known, even if what it brought is gone again."""
        return number <= self.clock.get(replica, 0) or number in self.clouds.get(replica, ())

    def add(self, replica: str, numbers: Iterable[int]) -> None:
        """These dots are known."""
        known = self.clock.get(replica, 0)
        cloud = self.clouds.setdefault(replica, set())
        cloud.update(number for number in numbers if number > known)
        self._compact(replica)

    def raise_to(self, replica: str, number: int) -> None:
        """Everything of the replica up to this number is known."""
        if number > self.clock.get(replica, 0):
            self.clock[replica] = number
            self._compact(replica)

    def forget(self, replica: str) -> None:
        """Nothing of the replica is known."""
        self.clock.pop(replica, None)
        self.clouds.pop(replica, None)

    def _compact(self, replica: str) -> None:
        cloud = self.clouds.get(replica)
        if cloud is None:
            return
        known = self.clock.get(replica, 0)
        while known + 1 in cloud:
            known += 1
        if known:
            self.clock[replica] = known
        cloud = {number for number in cloud if number > known}
        if cloud:
            self.clouds[replica] = cloud
        else:
            del self.clouds[replica]
