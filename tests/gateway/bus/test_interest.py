"""What a worker asks of the bridge, and when its subscriptions stand: against a bridge that answers late, or never."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from roost.gateway.bus.interest import COOL_DOWN, INTEREST_LIMIT, TICK, WorkerInterest
from roost.shared.cluster import Interest, Listening
from roost.shared.crossing import bucket_of, pack_buckets, unpack_buckets
from roost.shared.topics import BRIDGE, worker_topic

WORKER = 7
TOPICS = [f"room:{number}" for number in range(4)]


def listening(version: int, *topics: str, worker: int = WORKER) -> Listening:
    return Listening({worker: version}, pack_buckets({bucket_of(topic) for topic in topics}), 1000, ())


def buckets(told: Interest | None) -> frozenset[int]:
    assert told is not None
    return unpack_buckets(told.buckets)


def test_a_subscription_stands_when_the_bridge_listens_for_it() -> None:
    interest = WorkerInterest(WORKER)
    interest.add("room:1")
    told = interest.news()
    assert told is not None
    assert (told.worker, told.version, buckets(told)) == (WORKER, 1, frozenset([bucket_of("room:1")]))
    assert interest.news() is None
    assert not interest.stands("room:1")
    interest.heard(listening(1))
    assert not interest.stands("room:1")
    interest.heard(listening(0, "room:1"))
    assert not interest.stands("room:1")
    interest.heard(listening(1, "room:1", worker=WORKER + 1))
    assert not interest.stands("room:1")
    interest.heard(listening(1, "room:1"))
    assert interest.stands("room:1")


def test_what_never_crosses_stands_at_once_and_presence_crosses() -> None:
    interest = WorkerInterest(WORKER)
    for topic in (BRIDGE, worker_topic(1)):
        interest.add(topic)
        assert interest.stands(topic)
    assert buckets(interest.news()) == frozenset()
    interest.add("\0presence:P")
    assert not interest.stands("\0presence:P")
    assert buckets(interest.news()) == {bucket_of("\0presence:P")}


def test_a_bucket_is_kept_for_a_while_after_its_last_subscriber() -> None:
    interest = WorkerInterest(WORKER)
    interest.add("room:1")
    interest.add("room:1")
    interest.news()
    interest.heard(listening(1, "room:1"))
    interest.discard("room:1")
    interest.discard("room:1")
    for _ in range(round(COOL_DOWN / TICK) - 1):
        interest.tick()
    assert interest.news() is None
    assert interest.stands("room:1")
    interest.tick()
    assert buckets(interest.news()) == frozenset()
    # The bridge may still say what it said before: that is over.
    interest.add("room:1")
    interest.heard(listening(2, "room:1"))
    assert not interest.stands("room:1")
    assert buckets(interest.news()) == {bucket_of("room:1")}
    interest.heard(listening(3, "room:1"))
    assert interest.stands("room:1")


def test_who_comes_back_in_time_does_not_wait() -> None:
    interest = WorkerInterest(WORKER)
    interest.add("room:1")
    interest.news()
    interest.heard(listening(1, "room:1"))
    interest.discard("room:1")
    interest.tick()
    interest.add("room:1")
    for _ in range(2 * round(COOL_DOWN / TICK)):
        interest.tick()
    assert interest.stands("room:1")
    assert interest.news() is None


def give_up(interest: WorkerInterest) -> None:
    assert [interest.tick() for _ in range(round(INTEREST_LIMIT / TICK))].count(True) == 1


def test_joins_do_not_hang_for_a_bridge_that_does_not_answer() -> None:
    interest = WorkerInterest(WORKER)
    interest.add("room:1")
    interest.news()
    give_up(interest)
    assert interest.stands("room:1")
    interest.add("room:2")
    assert interest.stands("room:2")
    interest.news()
    interest.heard(listening(2, "room:1", "room:2"))
    interest.add("room:3")
    assert interest.stands("room:2")
    assert not interest.stands("room:3")


def test_an_engine_that_never_confirms_a_bucket_holds_nobody_up() -> None:
    interest = WorkerInterest(WORKER)
    interest.add("room:1")
    interest.news()
    interest.heard(listening(1))
    give_up(interest)
    interest.heard(listening(1))
    assert interest.stands("room:1")


@pytest.mark.parametrize("known", [True, False])
def test_a_new_bridge_starts_from_nothing(known: bool) -> None:
    interest = WorkerInterest(WORKER)
    interest.add("room:1")
    interest.news()
    interest.heard(listening(1, "room:1"))
    interest.heard(listening(1 if known else 0))
    assert not interest.stands("room:1")
    interest.again()
    told = interest.news()
    assert told is not None
    assert (told.version, buckets(told)) == (2, frozenset([bucket_of("room:1")]))
    give_up(interest)


def test_a_bridge_that_listens_to_less_than_before_is_noticed() -> None:
    interest = WorkerInterest(WORKER)
    interest.add("room:1")
    interest.add("room:2")
    interest.news()
    interest.heard(listening(1, "room:1", "room:2"))
    interest.heard(listening(1, "room:2"))
    assert not interest.stands("room:1")
    assert interest.stands("room:2")
    give_up(interest)


class Bridged(RuleBasedStateMachine):
    """A worker and a bridge that takes its time: who stands is heard by the bridge, or nobody waits any more."""

    def __init__(self) -> None:
        super().__init__()
        self.interest = WorkerInterest(WORKER)
        self.subscribers: Counter[str] = Counter()
        self.on_its_way: list[Interest] = []
        self.bridge: Interest | None = None
        self.versions: list[int] = []

    @rule(topic=st.sampled_from(TOPICS))
    def add(self, topic: str) -> None:
        self.interest.add(topic)
        self.subscribers[topic] += 1

    @rule(topic=st.sampled_from(TOPICS))
    def discard(self, topic: str) -> None:
        if self.subscribers[topic]:
            self.interest.discard(topic)
            self.subscribers[topic] -= 1

    @rule()
    def end_turn(self) -> None:
        if (news := self.interest.news()) is not None:
            self.versions.append(news.version)
            self.on_its_way.append(news)

    @rule(ticks=st.sampled_from([1, 3, round(COOL_DOWN / TICK)]))
    def time_passes(self, ticks: int) -> None:
        for _ in range(ticks):
            self.interest.tick()

    @precondition(lambda self: self.on_its_way)
    @rule()
    def bridge_hears(self) -> None:
        self.bridge = self.on_its_way.pop(0)

    @precondition(lambda self: self.bridge is not None)
    @rule()
    def bridge_answers(self) -> None:
        assert self.bridge is not None
        self.interest.heard(Listening({WORKER: self.bridge.version}, self.bridge.buckets, 1000, ()))

    @rule()
    def bridge_is_started_anew(self) -> None:
        """The supervisors know the last interest, and tell that nothing is listened to."""
        self.bridge = None
        self.interest.heard(listening(0))
        self.interest.again()

    @invariant()
    def who_stands_is_heard(self) -> None:
        if self.interest.alone:
            return
        for topic, subscribers in self.subscribers.items():
            if subscribers and self.interest.stands(topic):
                assert self.bridge is not None
                assert bucket_of(topic) in unpack_buckets(self.bridge.buckets)

    @invariant()
    def versions_grow(self) -> None:
        assert self.versions == sorted(set(self.versions))

    def teardown(self) -> None:
        """In the end a bridge that listens makes all stand."""
        self.end_turn()
        while self.on_its_way:
            self.bridge_hears()
        if self.bridge is not None:
            self.bridge_answers()
            assert all(self.interest.stands(topic) for topic, number in self.subscribers.items() if number)
            assert not self.interest.alone


Bridged.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestBridged = Bridged.TestCase
