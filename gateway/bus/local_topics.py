"""A worker's own subscribers by topic, for what it tells them without a shard: diffs of presence. Pure.

Kept for topics in which presences are served; others cost nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.shared.peer.audience import Subscription


class LocalTopics:
    """Who subscribes to what in this worker."""

    def __init__(self) -> None:
        self._kept: tuple[str, ...] = ()
        """How topics begin that somebody wants to know about."""
        self.released: list[Callable[[str], None]] = []
        """Called with a topic when one of its subscribers is not held any more."""
        self._topics: dict[str, dict[int, Subscription]] = {}
        self._held: set[int] = set()

    def keep(self, beginnings: Iterable[str]) -> None:
        """Keep the subscribers of topics that begin so, from now on."""
        self._kept += tuple(beginnings)

    def add(self, subscription: "Subscription") -> None:
        """A subscription was begun."""
        if subscription.topic.startswith(self._kept):
            self._topics.setdefault(subscription.topic, {})[subscription.number] = subscription

    def discard(self, subscription: "Subscription") -> None:
        """A subscription has ended."""
        if subscription.topic.startswith(self._kept):
            subscribers = self._topics.get(subscription.topic)
            if subscribers is not None:
                subscribers.pop(subscription.number, None)
                if not subscribers:
                    del self._topics[subscription.topic]
            self._held.discard(subscription.number)

    def subscribers(self, topic: str) -> Iterator["Subscription"]:
        """Those whose subscription stands."""
        return (one for one in self._topics.get(topic, {}).values() if one.standing)

    # Channels whose `joined` runs: it may be about to push a state, which tells all that was told to others before

    def hold(self, subscription: "Subscription | None") -> None:
        """Tell this one nothing until it is released."""
        if subscription is not None and subscription.topic.startswith(self._kept):
            self._held.add(subscription.number)

    def held(self, number: int) -> bool:
        """Whether a subscriber is to be told nothing now."""
        return number in self._held

    def release(self, subscription: "Subscription | None") -> None:
        """Tell this one what it was not told meanwhile."""
        if subscription is not None and subscription.number in self._held:
            self._held.discard(subscription.number)
            for released in self.released:
                released(subscription.topic)
