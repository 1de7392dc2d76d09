"""Few publishes are counted exactly; of many a bounded number is looked at, and each topic has its part."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.broker.hottest_topics import CAPACITY, SAMPLES_A_TICK, WINDOW, HottestTopics
from roost.shared.hottest import HotTopic

TICK = 0.2
publishes = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 10_000)), min_size=1, max_size=SAMPLES_A_TICK)


class Looked(HottestTopics):
    """Counts how often it looked."""

    __slots__ = ("looks",)

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def look(self, topic: str, deliveries: int) -> None:
        self.looks += 1
        super().look(topic, deliveries)


def publish(hottest: HottestTopics, topic: str, deliveries: int) -> None:
    """As the fan-out does."""
    hottest.until -= deliveries
    if hottest.until <= 0:
        hottest.look(topic, deliveries)


def rows(hottest: HottestTopics, now: float) -> dict[str, HotTopic]:
    return {row.topic: row for row in hottest.hottest(now)}


@given(st.lists(publishes, min_size=1, max_size=5))
def test_few_publishes_are_counted_exactly(ticks: list[list[tuple[str, int]]]) -> None:
    hottest, deliveries, times = HottestTopics(), Counter[str](), Counter[str]()
    now = 0.0
    hottest.tick(now)
    for stream in ticks:
        for topic, number in stream:
            publish(hottest, topic, number)
            deliveries[topic] += number
            times[topic] += 1
        now += TICK
        hottest.tick(now)
    found = rows(hottest, now)
    assert found.keys() == deliveries.keys()
    for topic, row in found.items():
        assert row.deliveries * now == pytest.approx(deliveries[topic])
        assert row.publishes * now == pytest.approx(times[topic])
        assert row.error == 0


@given(st.permutations([("large", 5000, 1), ("middle", 50, 40), *((f"small:{n}", 2, 50) for n in range(20))]))
def test_of_many_publishes_each_topic_has_its_part(kinds: list[tuple[str, int, int]]) -> None:
    """In the most regular order there is, and with one publish to many between many to few."""
    hottest = Looked()
    truth = Counter[str]()
    now = 0.0
    for _ in range(10):
        hottest.tick(now)
        for turn in range(50):
            for topic, deliveries, times in kinds:
                if turn * times // 50 != (turn + 1) * times // 50:
                    publish(hottest, topic, deliveries)
                    truth[topic] += deliveries
        now += TICK
    hottest.tick(now)
    found = rows(hottest, now)
    assert max(found, key=lambda topic: found[topic].deliveries) == max(truth, key=lambda topic: truth[topic])
    assert sum(row.deliveries for row in found.values()) * now == pytest.approx(sum(truth.values()), rel=0.05)
    for topic in ("large", "middle"):
        assert found[topic].deliveries * now == pytest.approx(truth[topic], rel=0.3)
    assert hottest.looks < 10 * 4 * SAMPLES_A_TICK


@given(st.integers(1, 20_000), st.integers(1, 1000))
def test_looks_are_few_however_many_publishes(number: int, deliveries: int) -> None:
    hottest = Looked()
    hottest.tick(0)
    for _ in range(number):
        publish(hottest, "room", deliveries)
    sudden = hottest.looks
    assert sudden <= number
    assert sudden <= 2 * (SAMPLES_A_TICK + 1) * max(1, (number * deliveries).bit_length())
    hottest.tick(TICK)
    for _ in range(number):
        publish(hottest, "room", deliveries)
    assert hottest.looks - sudden <= 2 * SAMPLES_A_TICK + 1
    total = 2 * number * deliveries
    assert rows(hottest, 1.0)["room"].deliveries == pytest.approx(total, abs=max(2 * deliveries, total / 20))


def test_what_is_over_is_forgotten() -> None:
    hottest = HottestTopics()
    hottest.tick(0)
    publish(hottest, "once", 3)
    assert rows(hottest, 0.0) == {}
    assert rows(hottest, 1.0)["once"].deliveries == 3
    hottest.tick(WINDOW)
    assert rows(hottest, WINDOW + 1)["once"].deliveries == 3 / (WINDOW + 1)
    publish(hottest, "\0of the node's own", 3)
    publish(hottest, "later", 6)
    hottest.tick(2 * WINDOW)
    assert {topic: row.deliveries for topic, row in rows(hottest, 2 * WINDOW).items()} == {"later": 6 / WINDOW}


def test_more_topics_than_counters_are_too_high_by_the_error_at_most() -> None:
    hottest = HottestTopics()
    hottest.tick(0)
    for number in range(SAMPLES_A_TICK):
        publish(hottest, f"passing:{number}", 1)
        publish(hottest, "steady", 2)
    found = rows(hottest, 1.0)
    assert len(found) == CAPACITY
    for topic, row in found.items():
        truth = 2 * SAMPLES_A_TICK if topic == "steady" else 1
        assert row.deliveries - row.error <= truth <= row.deliveries
    assert next(iter(found)) == "steady"
