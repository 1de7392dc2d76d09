"""The topic table against the simplest table there can be: a dictionary of sets."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from roost.broker.topic_table import TopicTable
from roost.shared.bus import Change, Disband, Gather, Lane, Subscribe, unpack_numbers

# Few of each, so that random steps meet again and again.
WORKERS = [1, 2]
TOPICS = ["room:a", "é", "\0own"]
Kind = tuple[Lane, tuple[str, ...]]
KINDS: list[Kind] = [(Lane.V2, ()), (Lane.V2, ("shout",)), (Lane.V1, ())]

workers = st.sampled_from(WORKERS)
topics = st.sampled_from(TOPICS)
subscribers = st.integers(1, 5)
kinds = st.sampled_from(KINDS)
subscriptions = st.builds(lambda number, topic, kind: Subscribe(number, topic, *kind), subscribers, topics, kinds)


class WorkerCopy:
    """What a worker knows of audiences: what it was told, and nothing else."""

    def __init__(self) -> None:
        self.audiences: dict[int, set[int]] = {}
        self.told: dict[int, tuple[str, Lane]] = {}

    def hear(self, news: Gather | Change | Disband) -> None:
        match news:
            case Gather(number, topic, lane, members):
                assert number not in self.told, "a number was used twice"
                self.told[number] = (topic, lane)
                self.audiences[number] = set(unpack_numbers(members))
            case Change(number, joined, left):
                known = self.audiences[number]
                assert set(unpack_numbers(left)) <= known
                known -= set(unpack_numbers(left))
                assert not known & set(unpack_numbers(joined))
                known |= set(unpack_numbers(joined))
                assert joined or left, "news that tell nothing"
            case Disband(number):
                del self.audiences[number]


class TopicTableMachine(RuleBasedStateMachine):
    """Random subscriptions, with the news of audiences asked for at random moments."""

    def __init__(self) -> None:
        super().__init__()
        self.table = TopicTable()
        self.rows: dict[int, dict[int, Subscribe]] = {worker: {} for worker in WORKERS}
        self.copies = {worker: WorkerCopy() for worker in WORKERS}

    # What happens

    @rule(worker=workers, subscription=subscriptions)
    def subscribe(self, worker: int, subscription: Subscribe) -> None:
        self.table.subscribe(worker, subscription)
        self.rows[worker].setdefault(subscription.subscriber, subscription)

    @rule(worker=workers, subscriber=subscribers)
    def unsubscribe(self, worker: int, subscriber: int) -> None:
        self.table.unsubscribe(worker, subscriber)
        self.rows[worker].pop(subscriber, None)

    @rule(worker=workers, subscriptions=st.lists(subscriptions, max_size=6, unique_by=lambda one: one.subscriber))
    def replace(self, worker: int, subscriptions: list[Subscribe]) -> None:
        self.table.replace(worker, subscriptions)
        self.rows[worker] = {one.subscriber: one for one in subscriptions}

    @rule(worker=workers)
    def forget(self, worker: int) -> None:
        self.table.forget(worker)
        self.rows[worker] = {}
        self.copies[worker] = WorkerCopy()
        assert self.table.disbanded(worker) == []

    @rule(worker=workers)
    def tell_what_was_disbanded(self, worker: int) -> None:
        """Afterwards the worker knows the audiences that live, and no other."""
        self._hear_disbanded(worker)
        assert self.table.disbanded(worker) == []
        living = [audience for topic in self.table.topics() for audience in topic.audiences.get(worker, {}).values()]
        assert self.copies[worker].audiences.keys() == {audience.number for audience in living if audience.told}

    @rule(topic=topics)
    def broadcast(self, topic: str) -> None:
        """What a shard does for a publish: everyone hears the news, and then knows exactly the truth."""
        found = self.table.topic(topic)
        reached: Counter[tuple[int, int, Kind]] = Counter()
        for worker, audiences in found.audiences.items() if found else ():
            self._hear_disbanded(worker)
            for audience in audiences.values():
                if news := audience.news():
                    self.copies[worker].hear(news)
                assert audience.news() is None
                assert self.copies[worker].told[audience.number] == (topic, audience.lane)
                members = self.copies[worker].audiences[audience.number]
                reached.update((worker, one, (audience.lane, audience.intercepts)) for one in members)
        assert reached == Counter(
            (worker, row.subscriber, (row.lane, row.intercepts))
            for worker, rows in self.rows.items()
            for row in rows.values()
            if row.topic == topic
        )

    def _hear_disbanded(self, worker: int) -> None:
        for news in self.table.disbanded(worker):
            self.copies[worker].hear(news)

    # What is always true

    @invariant()
    def topics_are_those_with_subscribers(self) -> None:
        truth = Counter(row.topic for rows in self.rows.values() for row in rows.values())
        assert {topic.name: topic.size() for topic in self.table.topics()} == dict(truth)
        assert self.table.topic_count() == len(truth)
        assert self.table.subscriber_count() == truth.total()

    @invariant()
    def a_walk_meets_every_topic_once(self) -> None:
        for limit in (1, 2, 5):
            met, place = self.table.topics_below(None, limit)
            while place:
                more, place = self.table.topics_below(place, limit)
                assert len(more) <= limit
                met = met + more
            assert Counter(topic.name for topic in met) == Counter(topic.name for topic in self.table.topics())
        own = {topic.name for topic in self.table.topics() if topic.name.startswith("\0")}
        assert {topic.name for topic in self.table.own_topics()} == own

    @invariant()
    def rows_are_the_subscriptions(self) -> None:
        for topic in TOPICS:
            truth = {
                (worker, row.subscriber, row.lane)
                for worker, rows in self.rows.items()
                for row in rows.values()
                if row.topic == topic
            }
            rows = list(self.table.rows(topic))
            assert len(rows) == len(truth)
            assert {(row.worker, row.subscriber, row.lane) for row in rows} == truth

    def teardown(self) -> None:
        for worker in WORKERS:
            self.tell_what_was_disbanded(worker)


TestTopicTable = TopicTableMachine.TestCase
TestTopicTable.settings = settings(max_examples=100, stateful_step_count=40)


def test_a_worker_with_much_to_forget_is_found() -> None:
    table = TopicTable()
    for subscriber in range(1, 4):
        table.subscribe(7, Subscribe(subscriber, f"room:{subscriber}", Lane.V2))
        topic = table.topic(f"room:{subscriber}")
        assert topic is not None
        (audience,) = topic.audiences[7].values()
        assert audience.news() is not None
        table.unsubscribe(7, subscriber)
    assert table.crowded(3) is None
    assert table.crowded(2) == 7
    assert [type(news) for news in table.disbanded(7)] == [Disband] * 3
    assert table.crowded(0) is None


def test_an_audience_that_no_worker_was_told_of_is_not_disbanded() -> None:
    table = TopicTable()
    table.subscribe(7, Subscribe(1, "room:a", Lane.V2))
    table.unsubscribe(7, 1)
    assert table.disbanded(7) == []


@given(st.lists(st.sampled_from(["news", 2, 3, 4]), max_size=30))
def test_news_of_one_audience_always_lead_to_the_truth(steps: list[str | int]) -> None:
    """Subscribers come when they are not there and go when they are; one stays; now and then the worker is told."""
    table, copy, members = TopicTable(), WorkerCopy(), {1}
    table.subscribe(7, Subscribe(1, "room:a", Lane.V2))
    for step in [*steps, "news"]:
        if step == "news":
            topic = table.topic("room:a")
            assert topic is not None
            (audience,) = topic.audiences[7].values()
            if news := audience.news():
                copy.hear(news)
            assert copy.audiences == {audience.number: members}
        elif step in members:
            table.unsubscribe(7, int(step))
            members.remove(int(step))
        else:
            table.subscribe(7, Subscribe(int(step), "room:a", Lane.V2))
            members.add(int(step))
