"""The topic table of one shard: who subscribes to what. Pure.

Two tables, as in Phoenix's PubSub: topic to subscribers (its Local table), and worker to subscribers to topic (its GC
table, for clean-up). The subscribers of a topic are grouped into *audiences* by worker and by how they want to be
served, so that a broadcast costs one step an audience and nothing a subscriber. A worker learns an audience's members
once, and later only what changed.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from roost.shared.bus import Change, Disband, Gather, Lane, Subscribe, pack_numbers
from roost.shared.serializer import encode_json
from roost.shared.topics import RESERVED


class Audience:
    """The subscribers of one topic in one worker that want to be served alike."""

    __slots__ = ("_joined", "_left", "_told", "changed", "intercepts", "lane", "members", "number", "topic", "worker")

    def __init__(self, number: int, worker: int, topic: "Topic", lane: Lane, intercepts: tuple[str, ...]) -> None:
        self.number = number
        self.worker = worker
        self.topic = topic
        self.lane = lane
        self.intercepts = intercepts
        self.members: set[int] = set()
        self.changed = True
        """Whether `news` may have something to tell; asked for every publish."""
        self._told = False
        self._joined: set[int] = set()
        self._left: set[int] = set()

    def add(self, subscriber: int) -> None:
        self.members.add(subscriber)
        self.changed = True
        if self._told:
            self._joined.add(subscriber)

    def remove(self, subscriber: int) -> None:
        self.members.remove(subscriber)
        self.changed = True
        if subscriber in self._joined:
            self._joined.remove(subscriber)
        elif self._told:
            self._left.add(subscriber)

    @property
    def told(self) -> bool:
        """Whether the worker knows this audience by its number."""
        return self._told

    def news(self) -> Gather | Change | None:
        """What the worker must hear before this audience is next named to it; counts as told from now on."""
        self.changed = False
        if not self._told:
            self._told = True
            return Gather(self.number, self.topic.name, self.lane, pack_numbers(self.members))
        if not self._joined and not self._left:
            return None
        change = Change(self.number, pack_numbers(self._joined), pack_numbers(self._left))
        self._joined.clear()
        self._left.clear()
        return change


class Topic:
    """One topic that has subscribers."""

    __slots__ = ("audiences", "name", "place", "text")

    def __init__(self, name: str, place: int) -> None:
        self.name = name
        self.place = place
        """Where it stands among all topics, for those who walk through them."""
        self.text = encode_json(name)
        """The name as JSON text, as it stands in every frame."""
        self.audiences: dict[int, dict[tuple[Lane, tuple[str, ...]], Audience]] = {}
        """By worker, then by lane and intercepted events."""

    def size(self) -> int:
        return sum(len(audience.members) for audiences in self.audiences.values() for audience in audiences.values())

    def members(self) -> dict[int, int]:
        """How many subscribers it has in each worker."""
        return {
            worker: sum(len(audience.members) for audience in audiences.values())
            for worker, audiences in self.audiences.items()
        }


class Row(NamedTuple):
    """One subscription."""

    worker: int
    subscriber: int
    lane: Lane


class TopicTable:
    """The subscriptions of one slot. Audience numbers are never reused."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._places: list[Topic] = []
        """All topics. One that goes gives its place to the last one."""
        self._own: set[Topic] = set()
        """Those that are the node's own."""
        self._workers: dict[int, dict[int, Audience]] = {}
        self._disbanded: dict[int, list[Disband]] = {}
        self._numbers = count(1)

    def subscribe(self, worker: int, subscription: Subscribe) -> None:
        """Put a subscriber into its topic. A subscriber's number is used once; a repetition changes nothing."""
        rows = self._workers.setdefault(worker, {})
        if subscription.subscriber in rows:
            return
        topic = self._topics.get(subscription.topic)
        if topic is None:
            topic = self._begin(subscription.topic)
        audiences = topic.audiences.setdefault(worker, {})
        key = (subscription.lane, subscription.intercepts)
        audience = audiences.get(key)
        if audience is None:
            audience = audiences[key] = Audience(next(self._numbers), worker, topic, *key)
        audience.add(subscription.subscriber)
        rows[subscription.subscriber] = audience

    def unsubscribe(self, worker: int, subscriber: int) -> None:
        """Take a subscriber out of its topic, if it is in one."""
        audience = self._workers.get(worker, {}).pop(subscriber, None)
        if audience is None:
            return
        audience.remove(subscriber)
        if not audience.members:
            self._drop(audience)

    def replace(self, worker: int, subscriptions: Iterable[Subscribe]) -> None:
        """Make these all the subscriptions of a worker."""
        for audience in set(self._workers.pop(worker, {}).values()):
            self._drop(audience)
        for subscription in subscriptions:
            self.subscribe(worker, subscription)

    def forget(self, worker: int) -> None:
        """A worker is dead: nothing of it is left."""
        self.replace(worker, ())
        self._workers.pop(worker, None)
        self._disbanded.pop(worker, None)

    def topic(self, name: str) -> Topic | None:
        """The topic, if anyone subscribes to it."""
        return self._topics.get(name)

    def disbanded(self, worker: int) -> list[Disband]:
        """Audiences that the worker knows and that are no more; each is answered once."""
        return self._disbanded.pop(worker, [])

    def crowded(self, limit: int) -> int | None:
        """A worker that has not been told of more than `limit` disbanded audiences."""
        return next((worker for worker, gone in self._disbanded.items() if len(gone) > limit), None)

    def topics(self) -> Iterator[Topic]:
        """All topics with subscribers."""
        return iter(self._topics.values())

    def topics_below(self, place: int | None, limit: int) -> tuple[list[Topic], int]:
        """At most so many topics below a place, with None the last ones; and the place below which the next ones are.

        Whoever walks down to 0 so meets every topic that is there all the while: a topic only ever moves from the end
        to a lower place. It may be met twice.
        """
        end = len(self._places) if place is None else min(place, len(self._places))
        begin = max(0, end - limit)
        return self._places[begin:end], begin

    def own_topics(self) -> Iterable[Topic]:
        """Topics that are the node's own; few."""
        return self._own

    def rows(self, topic: str) -> Iterator[Row]:
        """The subscribers of a topic."""
        found = self._topics.get(topic)
        for audiences in found.audiences.values() if found else ():
            for audience in audiences.values():
                for subscriber in audience.members:
                    yield Row(audience.worker, subscriber, audience.lane)

    def topic_count(self) -> int:
        return len(self._topics)

    def subscriber_count(self) -> int:
        return sum(len(rows) for rows in self._workers.values())

    def _drop(self, audience: Audience) -> None:
        topic = audience.topic
        audiences = topic.audiences[audience.worker]
        del audiences[(audience.lane, audience.intercepts)]
        if not audiences:
            del topic.audiences[audience.worker]
        if not topic.audiences:
            self._end(topic)
        if audience.told:
            self._disbanded.setdefault(audience.worker, []).append(Disband(audience.number))

    def _begin(self, name: str) -> Topic:
        topic = self._topics[name] = Topic(name, len(self._places))
        self._places.append(topic)
        if name.startswith(RESERVED):
            self._own.add(topic)
        return topic

    def _end(self, topic: Topic) -> None:
        del self._topics[topic.name]
        last = self._places.pop()
        if last is not topic:
            last.place = topic.place
            self._places[last.place] = last
        self._own.discard(topic)
