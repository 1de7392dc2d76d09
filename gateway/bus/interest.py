"""Which buckets of topics a worker wants to hear of from other nodes, and in which of them it does. Pure.

A subscription stands only once the node's bridge listens for its topic, so that its client hears all that is published
on other nodes after its join was answered.
"""

from collections import Counter
from typing import Final

from roost.shared.cluster import Interest, Listening
from roost.shared.crossing import bits_of, bits_to_bytes, bucket_of
from roost.shared.topics import crosses

COOL_DOWN: Final = 30.0
"""Seconds for which a bucket is kept after its last subscriber has gone: who comes back does not wait again."""
INTEREST_LIMIT: Final = 5.0
"""Seconds that a subscription waits for the bridge; then it stands all the same, for joins never hang for the cluster.
They are counted in ticks of the worker's own, so that its own pauses are blamed on nobody."""
TICK: Final = 0.5
"""Seconds between two ticks."""

_LIMIT_TICKS: Final = round(INTEREST_LIMIT / TICK)
_COOL_DOWN_TICKS: Final = round(COOL_DOWN / TICK)


class WorkerInterest:
    """The interest of one worker."""

    def __init__(self, worker: int) -> None:
        self.alone = False
        """Whether the bridge has not answered for too long, so that nothing waits for it."""
        self._worker = worker
        self._version = 0
        self._changed = True
        self._subscribers: Counter[int] = Counter()
        self._named: dict[int, int] = {}
        """The buckets that are wanted, with the version of our interest that named each first."""
        self._wanted = 0
        """The same buckets as bits."""
        self._cooling: dict[int, int] = {}
        """Buckets without subscribers, with the tick at which each is let go; the first is the first to go."""
        self._waiting: dict[int, int] = {}
        """Buckets that do not stand yet, with the tick since which; the first has waited longest."""
        self._ticks = 0
        self._heard = 0
        """The version that the bridge listens for."""
        self._owed = 0
        """The version that the bridge had not answered when we gave up waiting."""
        self._listening = 0
        """Bits of the buckets that it listens to."""

    # Subscriptions

    def add(self, topic: str) -> None:
        """Somebody subscribes to a topic."""
        if not crosses(topic):
            return
        bucket = bucket_of(topic)
        self._subscribers[bucket] += 1
        self._cooling.pop(bucket, None)
        if bucket not in self._named:
            self._named[bucket] = self._version + 1
            self._wanted |= 1 << bucket
            self._changed = True
            self._waiting[bucket] = self._ticks

    def discard(self, topic: str) -> None:
        """A subscriber of a topic has gone."""
        if not crosses(topic):
            return
        bucket = bucket_of(topic)
        self._subscribers[bucket] -= 1
        if not self._subscribers[bucket]:
            del self._subscribers[bucket]
            self._cooling[bucket] = self._ticks + _COOL_DOWN_TICKS

    def stands(self, topic: str) -> bool:
        """Whether a subscription to this topic hears other nodes, or need not wait for that."""
        return self.alone or not crosses(topic) or self._is_heard(bucket_of(topic))

    # The bridge

    def news(self) -> Interest | None:
        """What the bridge is to be told at the end of a turn, if anything."""
        if not self._changed:
            return None
        self._changed = False
        self._version += 1
        return Interest(self._worker, self._version, bits_to_bytes(self._wanted))

    def again(self) -> None:
        """Whoever was told may be gone: say it again."""
        self._changed = True

    def heard(self, listening: Listening) -> None:
        """The bridge says what the node hears. A bridge that does not know us yet has listened to nothing for us."""
        heard, buckets = listening.versions.get(self._worker, 0), bits_of(listening.buckets)
        less = heard < self._heard or self._listening & self._wanted & ~buckets
        self._heard, self._listening = heard, buckets
        for bucket in self._named if less else list(self._waiting):
            if self._is_heard(bucket):
                self._waiting.pop(bucket, None)
            else:
                self._waiting.setdefault(bucket, self._ticks)
        if self._heard >= self._owed and not self._waits_too_long():
            self.alone = False

    def tick(self) -> bool:
        """To be called every TICK seconds. Whether from now on nothing waits for the bridge any more."""
        self._ticks += 1
        self._cool_down()
        if self.alone or not self._waits_too_long():
            return False
        self.alone = True
        self._owed = self._version
        return True

    def _waits_too_long(self) -> bool:
        return self._ticks - next(iter(self._waiting.values()), self._ticks) >= _LIMIT_TICKS

    def _is_heard(self, bucket: int) -> bool:
        named = self._named.get(bucket)
        return named is not None and named <= self._heard and bool(self._listening >> bucket & 1)

    def _cool_down(self) -> None:
        while self._cooling:
            bucket, due = next(iter(self._cooling.items()))
            if due > self._ticks:
                return
            del self._cooling[bucket], self._named[bucket]
            self._wanted &= ~(1 << bucket)
            self._waiting.pop(bucket, None)
            self._changed = True
