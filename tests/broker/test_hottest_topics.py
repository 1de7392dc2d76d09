"""Few publishes are counted exactly; of many a bounded number is looked at, and each topic has its part."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.broker.hottest_topics import CAPACITY, SAMPLES_A_TICK, WINDOW, HottestTopics
from roost.shared.hottest import HotTopic

TICK = 0.2
publishes = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 10_000)), min_size=1, max_size=SAMPLES_A_TICK)


class Feed:
    """Publishes as the fan-out does, and counts how often that was looked at."""

    def __init__(self) -> None:
        self.hottest = HottestTopics()
        self.total = 0
        self.looks = 0
        self.hottest.tick(0, 0)

    def publish(self, topic: str, deliveries: int) -> None:
        self.total += deliveries
        if self.total >= self.hottest.next:
            self.hottest.look(topic, deliveries, self.total)
            self.looks += 1

    def tap(self, deliveries: int) -> None:
        self.total += deliveries
        self.hottest.leave_out(deliveries)

    def tick(self, now: float) -> None:
        self.hottest.tick(now, self.total)

    def rows(self, now: float) -> dict[str, HotTopic]:
        return {row.topic: row for row in self.hottest.hottest(now)}


@given(st.lists(publishes, min_size=1, max_size=5))
def test_few_publishes_are_counted_exactly(ticks: list[list[tuple[str, int]]]) -> None:
    feed, deliveries, times = Feed(), Counter[str](), Counter[str]()
    now = 0.0
    for stream in ticks:
        for topic, number in stream:
            feed.tap(number % 3)
            feed.publish(topic, number)
            deliveries[topic] += number
            times[topic] += 1
        now += TICK
        feed.tick(now)
    found = feed.rows(now)
    assert found.keys() == deliveries.keys()
    for topic, row in found.items():
        assert row.deliveries * now == pytest.approx(deliveries[topic])
        assert row.publishes * now == pytest.approx(times[topic])
        assert row.error == 0


@given(st.permutations([("large", 5000, 1), ("middle", 50, 40), *((f"small:{n}", 2, 50) for n in range(20))]))
def test_of_many_publishes_each_topic_has_its_part(kinds: list[tuple[str, int, int]]) -> None:
    """In the most regular order there is, and with one publish to many between many to few."""
    feed = Feed()
    truth = Counter[str]()
    now = 0.0
    for _ in range(10):
        feed.tick(now)
        for turn in range(50):
            for topic, deliveries, times in kinds:
                if turn * times // 50 != (turn + 1) * times // 50:
                    feed.publish(topic, deliveries)
                    truth[topic] += deliveries
        now += TICK
    feed.tick(now)
    found = feed.rows(now)
    assert max(found, key=lambda topic: found[topic].deliveries) == max(truth, key=lambda topic: truth[topic])
    assert sum(row.deliveries for row in found.values()) * now == pytest.approx(sum(truth.values()), rel=0.05)
    for topic in ("large", "middle"):
        assert found[topic].deliveries * now == pytest.approx(truth[topic], rel=0.3)
    assert feed.looks < 10 * 4 * SAMPLES_A_TICK


@given(st.integers(1, 20_000), st.integers(1, 1000))
def test_looks_are_few_however_many_publishes(number: int, deliveries: int) -> None:
    feed = Feed()
    for _ in range(number):
        feed.publish("room", deliveries)
    sudden = feed.looks
    assert sudden <= number
    assert sudden <= 2 * (SAMPLES_A_TICK + 1) * max(1, (number * deliveries).bit_length())
    feed.tick(TICK)
    for _ in range(number):
        feed.publish("room", deliveries)
    assert feed.looks - sudden <= 2 * SAMPLES_A_TICK + 1
    total = 2 * number * deliveries
    assert feed.rows(1.0)["room"].deliveries == pytest.approx(total, abs=max(2 * deliveries, total / 20))


def test_what_is_over_is_forgotten() -> None:
    feed = Feed()
    feed.publish("once", 3)
    assert feed.rows(0.0) == {}
    assert feed.rows(1.0)["once"].deliveries == 3
    feed.tick(WINDOW)
    assert feed.rows(WINDOW + 1)["once"].deliveries == 3 / (WINDOW + 1)
    feed.publish("\0of the node's own", 3)
    feed.publish("later", 6)
    feed.tick(2 * WINDOW)
    assert {topic: row.deliveries for topic, row in feed.rows(2 * WINDOW).items()} == {"later": 6 / WINDOW}


def test_more_topics_than_counters_are_too_high_by_the_error_at_most() -> None:
    feed, number = Feed(), CAPACITY + 40
    for at in range(number):
        feed.publish(f"passing:{at}", 1)
        feed.publish("steady", 2)
        if at % (SAMPLES_A_TICK // 3) == 0:
            feed.tick(at / number)
    found = feed.rows(1.0)
    assert len(found) == CAPACITY
    for topic, row in found.items():
        truth = 2 * number if topic == "steady" else 1
        assert row.deliveries - row.error <= truth <= row.deliveries
    assert next(iter(found)) == "steady"
