"""The witness: histories that keep every promise have no faults, and each planted fault is found."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.commands.witness import MAX_FAULTS, Kind, Publisher, Subscriber, Witness

TOPICS = 3
CLIENTS = 3
ALIVE, DEAD = 1, 2
"""Numbers of workers."""

Step = tuple[Any, ...]


@dataclass
class World:
    """A node that keeps its promises: what it does becomes a history that a witness can be told.

    Every publisher has a queue to every subscriber. A subscription stands some time before its client is told so, and
    what comes in between is not handed over.
    """

    history: list[Step] = field(default_factory=list)
    queues: dict[tuple[int, int], list[tuple[int, int, object]]] = field(default_factory=dict)
    standing: dict[tuple[int, int], object] = field(default_factory=dict)
    told: dict[tuple[int, int], object] = field(default_factory=dict)
    publishers: dict[int, int] = field(default_factory=dict)
    """Messages sent, by publisher; none that has ended."""
    subscribers: set[int] = field(default_factory=set)
    born: int = 0
    owed: set[int] = field(default_factory=set)
    """Places in the history at which something owed is heard."""

    def perform(self, operation: tuple[int, int, int]) -> None:
        what, who, which = operation
        (self.send, self.send, self.deliver, self.deliver, self.join, self.join, self.leave, self.lose, self.end)[what](
            who, which
        )

    def send(self, who: int, _: int) -> None:
        if who not in self.publishers:
            self.publishers[who] = 0
            self.history.append(("publisher", who))
        self.publishers[who] = number = self.publishers[who] + 1
        self.history.append(("send", who))
        topic = number % TOPICS
        for subscriber in self.subscribers:
            subscription = self.standing.get((subscriber, topic))
            if subscription is not None:
                self.queues.setdefault((who, subscriber), []).append((topic, number, subscription))

    def deliver(self, who: int, which: int) -> None:
        queues = [key for key, queue in self.queues.items() if queue]
        if queues:
            self.hand_over(queues[(who * 7 + which) % len(queues)])

    def hand_over(self, key: tuple[int, int]) -> None:
        publisher, subscriber = key
        topic, number, subscription = self.queues[key].pop(0)
        if self.told.get((subscriber, topic)) is subscription:
            self.history.append(("hear", subscriber, topic, publisher, number))

    def join(self, who: int, which: int) -> None:
        """The first time it asks and stands, the second time it is told."""
        key = (who, which % TOPICS)
        if key not in self.standing:
            if who not in self.subscribers:
                self.subscribers.add(who)
                self.history.append(("subscriber", who))
            self.history.append(("ask", *key))
            self.standing[key] = object()
        elif key not in self.told:
            self.history.append(("join", *key))
            self.told[key] = self.standing[key]

    def leave(self, who: int, which: int) -> None:
        key = (who, which % TOPICS)
        if key in self.told:
            self.history.append(("ask", *key))
            del self.standing[key], self.told[key]
            self.history.append(("leave", *key))

    def lose(self, who: int, _: int) -> None:
        """A client is disconnected."""
        if who in self.subscribers:
            self.subscribers.remove(who)
            self.history.append(("gone", who))
            for topic in range(TOPICS):
                self.standing.pop((who, topic), None)
                self.told.pop((who, topic), None)
            for key in [key for key in self.queues if key[1] == who]:
                del self.queues[key]

    def end(self, who: int, which: int) -> None:
        """A publisher's worker is killed: of what it had under way, each subscriber gets another first part."""
        if who in self.publishers:
            del self.publishers[who]
            self.history.append(("end", who))
            for key in [key for key in self.queues if key[0] == who]:
                for _ in range(which % (len(self.queues[key]) + 1)):
                    self.hand_over(key)
                del self.queues[key]

    def calm(self) -> None:
        """All that is under way arrives."""
        for key in self.standing.keys() - self.told.keys():
            self.join(*key)
        for key in sorted(self.queues):
            while self.queues[key]:
                self.hand_over(key)


def judged(history: list[Step]) -> Witness:
    """What a witness makes of a history; all workers that are ended are dead."""
    witness = Witness(TOPICS)
    publishers: dict[int, Publisher] = {}
    subscribers: dict[int, Subscriber] = {}
    for step in history:
        match step:
            case ("publisher", int(who)):
                publishers[who] = witness.publisher(f"publisher {who}", DEAD)
            case ("send", int(who)):
                number = publishers[who].next_number()
                publishers[who].replies = number
            case ("end", int(who)):
                publishers[who].end(graceful=False)
            case ("subscriber", int(who)):
                subscribers[who] = witness.subscriber(f"client {who}")
            case ("ask", int(who), int(topic)):
                subscribers[who].asked(topic)
            case ("join", int(who), int(topic)):
                subscribers[who].joined(topic)
            case ("leave", int(who), int(topic)):
                subscribers[who].left(topic)
            case ("gone", int(who)):
                subscribers[who].gone()
            case ("hear", int(who), int(topic), int(publisher), int(number)):
                subscribers[who].heard(topic, publishers[publisher].identity, number, 0.0)
    return witness


def kinds(witness: Witness) -> list[Kind]:
    return sorted([*witness.counts.elements(), *(fault.kind for fault in witness.outstanding({ALIVE}))])


def operations(highest: int) -> st.SearchStrategy[list[tuple[int, int, int]]]:
    return st.lists(st.tuples(st.integers(0, highest), st.integers(0, CLIENTS - 1), st.integers(0, 9)), max_size=150)


@given(operations(8))
@settings(max_examples=300)
def test_a_history_that_keeps_every_promise_has_no_faults(steps: list[tuple[int, int, int]]) -> None:
    world = World()
    for step in steps:
        world.perform(step)
    world.calm()
    assert kinds(judged(world.history)) == []


@st.composite
def quiet_histories(draw: st.DrawFn) -> list[Step]:
    """Everybody joins everything, then messages come and go; nobody leaves."""
    world = World()
    for who in range(CLIENTS):
        for topic in range(TOPICS):
            world.join(who, topic)
            world.join(who, topic)
    for step in draw(operations(3)):
        world.perform(step)
    for who in range(CLIENTS):
        for _ in range(TOPICS):
            world.send(who, 0)
    world.calm()
    return world.history


def hears(history: list[Step]) -> list[int]:
    return [at for at, step in enumerate(history) if step[0] == "hear"]


@given(quiet_histories(), st.randoms())
def test_a_message_that_is_left_out_is_lost(history: list[Step], random: Any) -> None:
    del history[random.choice(hears(history))]
    assert kinds(judged(history)) == [Kind.LOST]


@given(quiet_histories(), st.randoms())
def test_a_message_that_comes_again_comes_twice(history: list[Step], random: Any) -> None:
    at = random.choice(hears(history))
    history.insert(random.randint(at + 1, len(history)), history[at])
    assert kinds(judged(history)) == [Kind.TWICE]


@given(quiet_histories(), st.randoms())
def test_two_messages_of_a_publisher_in_the_wrong_order_are_out_of_order(history: list[Step], random: Any) -> None:
    who, publisher = random.randrange(CLIENTS), random.randrange(CLIENTS)
    places = [at for at in hears(history) if history[at][1] == who and history[at][3] == publisher]
    one, other = random.choice(list(pairwise(places)))
    history[one], history[other] = history[other], history[one]
    if history.index(("send", publisher)) < one:  # not before it was sent
        found = set(kinds(judged(history)))
        assert found & {Kind.DISORDER, Kind.UNDUE}
        assert found <= {Kind.DISORDER, Kind.UNDUE, Kind.LOST}


@pytest.fixture
def witness() -> Witness:
    return Witness(TOPICS)


def joined(witness: Witness, name: str = "client") -> Subscriber:
    """Somebody on all topics."""
    subscriber = witness.subscriber(name)
    for topic in range(TOPICS):
        subscriber.asked(topic)
        subscriber.joined(topic)
    return subscriber


def sender(witness: Witness, messages: int, worker: int = ALIVE) -> Publisher:
    """Somebody who has published, and has had no reply."""
    publisher = witness.publisher("publisher", worker)
    for _ in range(messages):
        publisher.next_number()
    return publisher


def hear(subscriber: Subscriber, *numbers: int, publisher: int = 1) -> None:
    for number in numbers:
        subscriber.heard(number % TOPICS, publisher, number, 0.0)


def outstanding(witness: Witness) -> list[str]:
    return [fault.text for fault in witness.outstanding({ALIVE})]


def test_a_killed_workers_messages_may_end_early_but_have_no_holes(witness: Witness) -> None:
    one, other, third = (joined(witness, name) for name in ("one", "other", "third"))
    publisher = sender(witness, 9, DEAD)
    hear(one, 1, 2, 3, 4)
    hear(other, 1)
    hear(third, 1, 2, 3, 7)
    publisher.end(graceful=False)
    assert outstanding(witness) == ["third never got message 4 of publisher"]


@pytest.mark.parametrize(("worker", "graceful"), [(ALIVE, False), (DEAD, True)])
def test_what_its_own_client_heard_is_owed_if_the_worker_was_not_killed(
    witness: Witness, worker: int, graceful: bool
) -> None:
    listener, own = joined(witness, "listener"), joined(witness, "own")
    publisher = sender(witness, 5, worker)
    hear(own, 1, 2)
    publisher.end(graceful=graceful)
    own.gone()
    hear(listener, 1)
    assert outstanding(witness) == ["listener never got message 2 of publisher"]
    hear(listener, 2)
    assert outstanding(witness) == []


def test_what_one_client_heard_is_owed_to_all_if_the_worker_lives(witness: Witness) -> None:
    one, other, gone = (joined(witness, name) for name in ("one", "other", "gone"))
    publisher = sender(witness, 3)
    publisher.end(graceful=False)
    hear(one, 1)
    assert sorted(outstanding(witness)) == [
        "gone never got message 1 of publisher",
        "other never got message 1 of publisher",
    ]
    hear(gone, 1, 2)
    gone.gone()
    assert sorted(outstanding(witness)) == [
        "one never got message 2 of publisher",
        "other never got message 1 of publisher",
        "other never got message 2 of publisher",
    ]
    hear(one, 2)
    hear(other, 1, 2)
    assert outstanding(witness) == []


def test_a_disconnected_client_is_owed_nothing_more(witness: Witness) -> None:
    subscriber = joined(witness)
    publisher = sender(witness, 9)
    publisher.replies = 9
    hear(subscriber, 1, 2)
    assert len(outstanding(witness)) == 7
    subscriber.gone()
    assert outstanding(witness) == []
    assert witness.counts == {}


def test_a_hole_in_a_topic_is_a_loss_even_if_the_client_went(witness: Witness) -> None:
    subscriber = joined(witness)
    sender(witness, 9)
    hear(subscriber, 1, 7)
    subscriber.gone()
    assert [fault.text for fault in witness.faults] == ["client never got message 4 of publisher"]


def test_what_was_sent_before_the_join_may_come_or_not_but_without_holes(witness: Witness) -> None:
    sender(witness, 9).replies = 9
    one, other = joined(witness, "one"), joined(witness, "other")
    hear(one, 6, 9)
    hear(other, 3, 9)
    assert outstanding(witness) == ["other never got message 6 of publisher"]


def test_what_is_sent_after_the_join_is_owed(witness: Witness) -> None:
    publisher = sender(witness, 9)
    publisher.replies = 12
    one, other = joined(witness, "one"), joined(witness, "other")
    for _ in range(3):
        publisher.next_number()
    hear(one, 10, 11, 12)
    hear(other, 10, 12)
    assert outstanding(witness) == ["other never got message 11 of publisher"]


def test_order_holds_across_topics(witness: Witness) -> None:
    subscriber = joined(witness)
    sender(witness, 5)
    hear(subscriber, 5, 1, 3)
    assert witness.counts == {Kind.DISORDER: 2}


def test_order_holds_within_a_topic(witness: Witness) -> None:
    one, other = joined(witness, "one"), joined(witness, "other")
    sender(witness, 9).replies = 9
    hear(one, 1, 7, 4)
    hear(other, 7, 1)
    assert witness.counts == {Kind.DISORDER: 2}
    assert [text for text in outstanding(witness) if text.startswith("one never got message 4")] == []


def test_nothing_may_come_before_the_join_or_after_the_leave(witness: Witness) -> None:
    subscriber = witness.subscriber("client")
    sender(witness, 9)
    hear(subscriber, 1)
    subscriber.joined(1)
    hear(subscriber, 4)
    subscriber.left(1)
    hear(subscriber, 7)
    assert witness.counts == {Kind.UNDUE: 2}


@pytest.mark.parametrize(("topic", "publisher", "number"), [(1, 1, 4), (1, 2, 1), (2, 1, 1), (0, 1, 0)])
def test_what_was_never_sent_is_undue(witness: Witness, topic: int, publisher: int, number: int) -> None:
    subscriber = joined(witness)
    sender(witness, 3)
    subscriber.heard(topic, publisher, number, 0.0)
    assert witness.counts == {Kind.UNDUE: 1}


def test_the_next_number_is_undue_before_it_is_sent(witness: Witness) -> None:
    subscriber = joined(witness)
    sender(witness, 3)
    hear(subscriber, 1, 4)
    assert witness.counts == {Kind.UNDUE: 1}


def test_the_own_broadcast_comes_before_the_reply(witness: Witness) -> None:
    subscriber = joined(witness)
    publisher = sender(witness, 2)
    hear(subscriber, 1)
    subscriber.answered(publisher, 1)
    assert witness.counts == {}
    subscriber.answered(publisher, 2)
    assert witness.counts == {Kind.ECHO: 1}


def test_the_server_owes_answers(witness: Witness) -> None:
    subscriber = joined(witness)
    publisher = sender(witness, 2)
    hear(subscriber, 1, 2)
    subscriber.answered(publisher, 1)
    subscriber.asked(2)
    assert outstanding(witness) == ["1 messages of publisher got no reply", "client waits for topic 2"]
    subscriber.answered(publisher, 2)
    subscriber.left(2)
    assert outstanding(witness) == []
    subscriber.asked(2)
    subscriber.gone()
    assert outstanding(witness) == []


def test_the_longest_pause_is_between_two_messages_of_one_client(witness: Witness) -> None:
    one, other = joined(witness, "one"), joined(witness, "other")
    sender(witness, 3)
    for subscriber, number, now in ((one, 1, 10.0), (other, 1, 10.5), (one, 2, 11.0), (other, 2, 12.25), (one, 3, 12)):
        subscriber.heard(number % TOPICS, 1, number, now)
    assert witness.longest_pause == 1.75


def test_time_without_any_topic_is_no_pause(witness: Witness) -> None:
    subscriber = joined(witness)
    sender(witness, 2)
    subscriber.heard(1, 1, 1, 10.0)
    for topic in range(TOPICS):
        subscriber.left(topic)
    for topic in range(TOPICS):
        subscriber.joined(topic)
    subscriber.heard(2, 1, 2, 20.0)
    assert witness.longest_pause == 0.0


def test_faults_are_counted_without_end_and_kept_up_to_a_limit(witness: Witness) -> None:
    subscriber = joined(witness)
    sender(witness, 1)
    hear(subscriber, *[1] * (MAX_FAULTS + 10))
    assert witness.counts == {Kind.TWICE: MAX_FAULTS + 9}
    assert len(witness.faults) == MAX_FAULTS
