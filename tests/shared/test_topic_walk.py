"""A walk counts exactly what stands all the while, whatever comes and goes and whichever shard is started again."""

from hypothesis import given
from hypothesis import strategies as st

from roost.broker.topic_table import TopicTable
from roost.shared.bus import Lane, Subscribe
from roost.shared.inspection import AskTopics, TopicCount, TopicPage, TopicPages
from roost.shared.shard_map import Slot
from roost.shared.topic_walk import MAX_RESTARTS, TopicWalk

SLOTS = [Slot(0, number) for number in range(3)]
STEADY = {f"steady:{number}": number % 4 + 1 for number in range(12)}
"""Topics that are there from the beginning to the end, with their subscribers."""
PASSING = [f"passing:{number}" for number in range(6)]


class Shards:
    """Topic tables that answer pages as shard processes do."""

    def __init__(self) -> None:
        self.incarnations = dict.fromkeys(SLOTS, 1)
        self.tables = {slot: TopicTable() for slot in SLOTS}
        self._numbers = iter(range(1, 1_000_000))
        self._passing: dict[tuple[Slot, str], int] = {}

    def fill(self, slot: Slot, order: list[str]) -> None:
        for topic in order:
            for subscriber in range(STEADY[topic]):
                if subscriber % len(SLOTS) == slot.number:
                    self.tables[slot].subscribe(1, Subscribe(next(self._numbers), topic, Lane.V2))

    def toggle(self, slot: Slot, topic: str) -> None:
        """A topic comes, or goes."""
        subscriber = self._passing.pop((slot, topic), None)
        if subscriber is None:
            subscriber = self._passing[slot, topic] = next(self._numbers)
            self.tables[slot].subscribe(1, Subscribe(subscriber, topic, Lane.V2))
        else:
            self.tables[slot].unsubscribe(1, subscriber)

    def restart(self, slot: Slot, order: list[str]) -> None:
        self.incarnations[slot] += 1
        self.tables[slot] = TopicTable()
        self._passing = {at: number for at, number in self._passing.items() if at[0] != slot}
        self.fill(slot, order)

    def answer(self, question: AskTopics, limit: int) -> TopicPages:
        cursors = {cursor.slot: cursor.before for cursor in question.cursors} or dict.fromkeys(SLOTS)
        return TopicPages(tuple(self._page(slot, before, question.prefix, limit) for slot, before in cursors.items()))

    def _page(self, slot: Slot, before: int | None, prefix: str, limit: int) -> TopicPage:
        topics, place = self.tables[slot].topics_below(before, limit)
        counts = tuple(TopicCount(one.name, one.size()) for one in topics if one.name.startswith(prefix))
        return TopicPage(slot, self.incarnations[slot], place, counts)


@given(st.data(), st.permutations(sorted(STEADY)), st.integers(1, 5))
def test_what_is_there_all_the_while_is_counted_exactly(data: st.DataObject, order: list[str], limit: int) -> None:
    shards = Shards()
    for slot in SLOTS:
        for topic in data.draw(st.lists(st.sampled_from(PASSING), unique=True)):
            shards.toggle(slot, topic)
        shards.fill(slot, order)
    walk = TopicWalk()
    restarts = 0
    while question := walk.question:
        walk.take(shards.answer(question, limit))
        for slot, topic in data.draw(st.lists(st.tuples(st.sampled_from(SLOTS), st.sampled_from(PASSING)), max_size=4)):
            shards.toggle(slot, topic)
        if restarts < MAX_RESTARTS and data.draw(st.integers(0, 9)) == 0:
            restarts += 1
            shards.restart(data.draw(st.sampled_from(SLOTS)), order)
    counted = walk.subscribers()
    assert {topic: counted.get(topic) for topic in STEADY} == STEADY
    assert counted.keys() <= STEADY.keys() | set(PASSING)
    assert all(subscribers <= len(SLOTS) for topic, subscribers in counted.items() if topic in PASSING)
    assert walk.silent == ()


def test_a_prefix_is_asked_for_in_every_question() -> None:
    shards = Shards()
    shards.fill(SLOTS[0], sorted(STEADY))
    walk = TopicWalk("steady:1")
    while question := walk.question:
        assert question.prefix == "steady:1"
        walk.take(shards.answer(question, 1))
    assert set(walk.subscribers()) == {"steady:1", "steady:10", "steady:11"}


def test_a_shard_that_does_not_answer_is_named_and_not_asked_again() -> None:
    walk = TopicWalk()
    page = TopicPage(SLOTS[0], 1, 5, (TopicCount("a", 2),))
    walk.take(TopicPages((page,), ("shard 0/1",)))
    question = walk.question
    assert question is not None
    assert [cursor.slot for cursor in question.cursors] == [SLOTS[0]]
    walk.take(TopicPages((TopicPage(SLOTS[0], 1, 0, ()),)))
    assert walk.question is None
    assert walk.silent == ("shard 0/1",)
    assert walk.subscribers() == {"a": 2}


def test_a_shard_that_is_started_again_and_again_is_given_up_and_named() -> None:
    walk = TopicWalk()
    for incarnation in range(1, MAX_RESTARTS + 3):
        assert walk.question is not None
        walk.take(TopicPages((TopicPage(SLOTS[0], incarnation, 5, ()),)))
    assert walk.question is None
    assert walk.silent == ("shard 0/0",)


def test_what_only_a_dead_incarnation_had_is_not_counted() -> None:
    walk = TopicWalk()
    walk.take(TopicPages((TopicPage(SLOTS[0], 1, 5, (TopicCount("gone", 2),)),)))
    walk.take(TopicPages((TopicPage(SLOTS[0], 2, 5, (TopicCount("met again", 1),)),)))
    walk.take(TopicPages((TopicPage(SLOTS[0], 2, 0, (TopicCount("there", 1),)),)))
    assert walk.subscribers() == {"there": 1}


def test_no_topics_is_an_answer() -> None:
    walk = TopicWalk()
    walk.take(TopicPages(tuple(TopicPage(slot, 1, 0, ()) for slot in SLOTS)))
    assert walk.question is None
    assert walk.subscribers() == {}
