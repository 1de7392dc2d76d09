"""The buckets that a node listens to: wanted by its workers, asked of the engine, confirmed by it. Pure."""

from typing import NamedTuple

from roost.broker.bridge.interests import Interests
from roost.shared.cluster import Interest


class Changes(NamedTuple):
    """What the engine is to be asked: buckets."""

    subscribe: list[int]
    unsubscribe: list[int]


class Buckets:
    """The buckets of one node."""

    def __init__(self) -> None:
        self._interests = Interests()
        self.asked: set[int] = set()
        """Those that the engine was asked for in this connection."""
        self.heard: set[int] = set()
        """Those of them that it has confirmed."""
        self._fresh: set[int] = set()
        """Those that are wanted anew and not confirmed yet: what is missing in them is not missed."""

    @property
    def wanted(self) -> frozenset[int]:
        """Those that any worker wants."""
        return self._interests.wanted

    @property
    def versions(self) -> dict[int, int]:
        """By worker: the version of its interest that this reflects."""
        return dict(self._interests.versions)

    def tell(self, interest: Interest) -> frozenset[int]:
        """A worker says what it wants. Answers what nobody wants any more. Raises ValueError."""
        before = self.wanted
        self._interests.tell(interest)
        return self._changed(before)

    def worker_exited(self, worker: int) -> frozenset[int]:
        """A worker is no more. Answers what nobody wants any more."""
        before = self.wanted
        self._interests.exited(worker)
        return self._changed(before)

    def changes(self) -> Changes:
        """What to ask of the engine now; it is taken to have been asked."""
        wanted = self.wanted
        changes = Changes(sorted(wanted - self.asked), sorted(self.asked - wanted))
        self.asked = set(wanted)
        self.heard &= wanted
        return changes

    def subscribed(self, buckets: list[int]) -> set[int]:
        """The engine has confirmed these. Answers those that were not listened to before."""
        confirmed = self.asked.intersection(buckets)
        self.heard |= confirmed
        fresh = confirmed & self._fresh
        self._fresh -= confirmed
        return fresh

    def lost(self) -> None:
        """The connection is gone."""
        self.asked.clear()
        self.heard.clear()

    def _changed(self, before: frozenset[int]) -> frozenset[int]:
        wanted = self.wanted
        self._fresh = (self._fresh | (wanted - before)) & wanted
        return before - wanted
