"""What was sent on the canary's topics and what each client heard: finds what was lost, repeated, out of turn. Pure.

A publisher numbers its messages 1, 2, 3, ...; each goes to one topic, `number % topics`, so that who hears a topic
knows which number comes next on it, and who hears several knows the order between them.

Two things are not promised and hence no faults (`docs/guarantees.md`):

* A client that was disconnected misses what came meanwhile. Its next connection is a new subscriber, and if it
  publishes, a new publisher.
* What a publisher's worker had under way when it was killed may reach some and not others; each gets a first part of it
  without holes. All of it counts again if the worker lives on, or had sent its clients away before it stopped.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Final

MAX_FAULTS: Final = 100
"""Faults that are kept in words; the others are counted."""


class Kind(StrEnum):
    """What can go wrong."""

    LOST = "lost"
    TWICE = "twice"
    DISORDER = "out of order"
    UNDUE = "undue"
    """Never sent, or on a topic that the client has not joined, or no longer."""
    ECHO = "reply before the own broadcast"
    UNANSWERED = "unanswered"
    REFUSED = "refused"
    AWAY = "not back"
    """A client that lost its connection is not let in again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken promise."""

    kind: Kind
    text: str


class Publisher:
    """One connection that publishes."""

    __slots__ = ("ended", "graceful", "heard", "identity", "name", "replies", "sent", "worker")

    def __init__(self, identity: int, name: str, worker: int, topics: int) -> None:
        self.identity = identity
        """Names it in its messages."""
        self.name = name
        self.worker = worker
        self.sent = 0
        self.replies = 0
        self.heard = [0] * topics
        """For each topic the last number that anyone heard who is gone now."""
        self.ended = False
        self.graceful = False

    def next_number(self) -> int:
        """The number of a message that is sent now."""
        self.sent += 1
        return self.sent

    def end(self, *, graceful: bool) -> None:
        """The connection is gone; `graceful` if the server closed it, as it does before a worker stops."""
        self.ended = True
        self.graceful = graceful

    @property
    def unanswered(self) -> int:
        """Messages sent and not replied to."""
        return self.sent - self.replies


class Subscription:
    """What one client heard on one topic since a join."""

    __slots__ = ("before", "expected", "first", "missing", "since")

    def __init__(self, before: int, since: dict[int, int]) -> None:
        self.before = before
        """Publishers from this identity on came later."""
        self.since = since
        """What the others had sent; of those that are not in it nothing is owed."""
        self.expected: dict[int, int] = {}
        self.first: dict[int, int] = {}
        self.missing: set[tuple[int, int]] = set()


class Subscriber:
    """One connection that listens."""

    __slots__ = ("_highest", "_joining", "_last_heard", "_subscriptions", "_witness", "name")

    def __init__(self, witness: "Witness", name: str) -> None:
        self.name = name
        self._witness = witness
        self._subscriptions: list[Subscription | None] = [None] * witness.topics
        self._joining: set[int] = set()
        self._highest: dict[int, int] = {}
        self._last_heard: float | None = None

    # Told what happens

    def asked(self, topic: int) -> None:
        """It asks to join, or to leave: the server owes it an answer."""
        self._joining.add(topic)

    def joined(self, topic: int) -> None:
        """Its join was answered `ok`: all that is sent from now on is owed to it."""
        self._joining.discard(topic)
        witness = self._witness
        since = {publisher.identity: publisher.sent for publisher in witness.publishers.values() if not publisher.ended}
        self._subscriptions[topic] = Subscription(witness.next_identity, since)

    def left(self, topic: int) -> None:
        """Its leave was answered: nothing more may come."""
        self._joining.discard(topic)
        subscription, self._subscriptions[topic] = self._subscriptions[topic], None
        if subscription is not None:
            self._close(topic, subscription)
        if not self.subscriptions():
            self._last_heard = None

    def heard(self, topic: int, publisher: int, number: int, now: float) -> None:
        """It got a message."""
        witness = self._witness
        witness.heard += 1
        subscription = self._subscriptions[topic]
        if (
            subscription is not None
            and subscription.expected.get(publisher) == number
            and number > self._highest.get(publisher, 0)
            and number <= witness.publishers[publisher].sent
        ):
            subscription.expected[publisher] = number + witness.topics
            self._highest[publisher] = number
        else:
            self._judge(topic, publisher, number)
        if self._last_heard is not None and now - self._last_heard > witness.longest_pause:
            witness.longest_pause = now - self._last_heard
        self._last_heard = now

    def answered(self, publisher: Publisher, number: int) -> None:
        """Its own message was replied to: its copy of the broadcast must have come before.

        So whatever was replied to was heard by somebody, and is owed to all as such.
        """
        topic = number % self._witness.topics
        publisher.replies += 1
        subscription = self._subscriptions[topic]
        if subscription is not None and subscription.expected.get(publisher.identity, 0) <= number:
            self._witness.fault(Kind.ECHO, f"{self.name} got the reply to its message {number} first")

    def gone(self) -> None:
        """Its connection is gone."""
        for topic in range(self._witness.topics):
            self.left(topic)
        self._witness.subscribers.discard(self)

    # What is wrong with it

    def _judge(self, topic: int, publisher: int, number: int) -> None:
        """A message that is not simply the next one on its topic."""
        witness = self._witness
        sender = witness.publishers.get(publisher)
        subscription = self._subscriptions[topic]
        what = f"message {number} of {sender.name if sender else publisher}"
        if sender is None or not 0 < number <= sender.sent or number % witness.topics != topic:
            witness.fault(Kind.UNDUE, f"{self.name} got {what}, which was never sent on topic {topic}")
            return
        if subscription is None:
            witness.fault(Kind.UNDUE, f"{self.name} got {what} on topic {topic}, which it has not joined")
            return
        expected = subscription.expected.get(publisher)
        if expected is not None and number < expected:
            self._judge_late(subscription, sender, number)
            return
        owed = expected if expected is not None else self._first_owed(subscription, topic, sender)
        if owed is not None:
            subscription.missing.update((publisher, lost) for lost in range(owed, number, witness.topics))
        if number < self._highest.get(publisher, 0):
            witness.fault(Kind.DISORDER, f"{self.name} got {what} after {self._highest[publisher]}, on another topic")
        subscription.first.setdefault(publisher, number)
        subscription.expected[publisher] = number + witness.topics
        self._highest[publisher] = max(number, self._highest.get(publisher, 0))

    def _judge_late(self, subscription: Subscription, sender: Publisher, number: int) -> None:
        """A message below one that was heard on the topic before."""
        key = (sender.identity, number)
        late = key in subscription.missing or number < subscription.first[sender.identity]
        subscription.missing.discard(key)
        subscription.first[sender.identity] = min(number, subscription.first[sender.identity])
        if late:
            self._witness.fault(Kind.DISORDER, f"{self.name} got message {number} of {sender.name} after later ones")
        else:
            self._witness.fault(Kind.TWICE, f"{self.name} got message {number} of {sender.name} again")

    def _first_owed(self, subscription: Subscription, topic: int, sender: Publisher) -> int | None:
        """The first message that it must not miss, None if it may miss all."""
        if sender.identity >= subscription.before:
            return _next_on(topic, 0, self._witness.topics)
        since = subscription.since.get(sender.identity)
        return None if since is None else _next_on(topic, since, self._witness.topics)

    def _close(self, topic: int, subscription: Subscription) -> None:
        for identity, number in subscription.missing:
            self._lost(identity, number)
        for identity, expected in subscription.expected.items():
            heard = self._witness.publishers[identity].heard
            heard[topic] = max(heard[topic], expected - self._witness.topics)

    def _lost(self, identity: int, number: int) -> None:
        self._witness.fault(Kind.LOST, self._lost_text(identity, number))

    def _lost_text(self, identity: int, number: int) -> str:
        return f"{self.name} never got message {number} of {self._witness.publishers[identity].name}"

    # At the end

    def subscriptions(self) -> list[tuple[int, Subscription]]:
        """What it has joined, with the topics' numbers."""
        return [(topic, found) for topic, found in enumerate(self._subscriptions) if found is not None]

    def owing(self, owed: dict[int, list[int]]) -> list[Fault]:
        """What it has not got and must have, if that is all that comes; `owed` for each publisher and topic up to
        which number.
        """
        topics = self._witness.topics
        faults = [Fault(Kind.UNANSWERED, f"{self.name} waits for topic {topic}") for topic in sorted(self._joining)]
        for topic, subscription in self.subscriptions():
            faults += [Fault(Kind.LOST, self._lost_text(*lost)) for lost in sorted(subscription.missing)]
            for identity, last in owed.items():
                expected = subscription.expected.get(identity)
                sender = self._witness.publishers[identity]
                first = expected if expected is not None else self._first_owed(subscription, topic, sender)
                if first is not None:
                    numbers = range(first, last[topic] + 1, topics)
                    faults += [Fault(Kind.LOST, self._lost_text(identity, number)) for number in numbers]
        return faults


class Witness:
    """Everything that is known of one run."""

    def __init__(self, topics: int) -> None:
        self.topics: Final = topics
        self.publishers: dict[int, Publisher] = {}
        self.subscribers: set[Subscriber] = set()
        self.faults: list[Fault] = []
        """The first of those that are certain already."""
        self.counts: Counter[Kind] = Counter()
        """How many of each kind are certain."""
        self.heard = 0
        self.longest_pause = 0.0
        """Seconds between two messages that one client heard, at most."""
        self._identities = count(1)
        self.next_identity = 1

    def publisher(self, name: str, worker: int) -> Publisher:
        """A connection begins to publish."""
        identity = next(self._identities)
        self.next_identity = identity + 1
        publisher = self.publishers[identity] = Publisher(identity, name, worker, self.topics)
        return publisher

    def subscriber(self, name: str) -> Subscriber:
        """A connection begins to listen."""
        subscriber = Subscriber(self, name)
        self.subscribers.add(subscriber)
        return subscriber

    @property
    def sent(self) -> int:
        """Messages sent."""
        return sum(publisher.sent for publisher in self.publishers.values())

    def fault(self, kind: Kind, text: str) -> None:
        """Something went wrong for certain."""
        self.counts[kind] += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(kind, text))

    def outstanding(self, alive: Collection[int]) -> list[Fault]:
        """What would be a fault if nothing more came; `alive` are the workers that live."""
        faults = [
            Fault(Kind.UNANSWERED, f"{publisher.unanswered} messages of {publisher.name} got no reply")
            for publisher in self.publishers.values()
            if not publisher.ended and publisher.unanswered
        ]
        owed = self._owed(alive)
        for subscriber in sorted(self.subscribers, key=lambda subscriber: subscriber.name):
            faults += subscriber.owing(owed)
        return faults

    def _owed(self, alive: Collection[int]) -> dict[int, list[int]]:
        """For each publisher and topic the last number that everybody must hear who joined before it was sent."""
        heard = {identity: list(publisher.heard) for identity, publisher in self.publishers.items()}
        for subscriber in self.subscribers:
            for topic, subscription in subscriber.subscriptions():
                for identity, expected in subscription.expected.items():
                    heard[identity][topic] = max(heard[identity][topic], expected - self.topics)
        owed = {}
        for identity, publisher in self.publishers.items():
            if not publisher.ended:
                owed[identity] = [publisher.sent] * self.topics
            elif publisher.graceful or publisher.worker in alive:
                owed[identity] = heard[identity]
        return owed


def _next_on(topic: int, after: int, topics: int) -> int:
    """The first number above another one that goes to a topic."""
    return after + 1 + (topic - after - 1) % topics
