"""Which buckets a node listens to: all that any of its workers wants. Pure."""

from collections import Counter

from roost.shared.cluster import Interest
from roost.shared.crossing import unpack_buckets


class Interests:
    """The last interest of every worker, and their union."""

    def __init__(self) -> None:
        self._of: dict[int, frozenset[int]] = {}
        self._wanted: Counter[int] = Counter()
        self.versions: dict[int, int] = {}
        """By worker: the version of its interest."""

    @property
    def wanted(self) -> frozenset[int]:
        """The buckets that somebody wants."""
        return frozenset(self._wanted)

    def tell(self, interest: Interest) -> None:
        """A worker says what it wants; an older version than the last changes nothing. Raises ValueError."""
        if interest.version < self.versions.get(interest.worker, 0):
            return
        buckets = unpack_buckets(interest.buckets)
        self._replace(interest.worker, buckets)
        self.versions[interest.worker] = interest.version
        self._of[interest.worker] = buckets

    def exited(self, worker: int) -> None:
        """A worker is no more."""
        self._replace(worker, frozenset())
        self._of.pop(worker, None)
        self.versions.pop(worker, None)

    def _replace(self, worker: int, buckets: frozenset[int]) -> None:
        before = self._of.get(worker, frozenset())
        self._wanted.update(buckets - before)
        for bucket in before - buckets:
            self._wanted[bucket] -= 1
            if not self._wanted[bucket]:
                del self._wanted[bucket]
