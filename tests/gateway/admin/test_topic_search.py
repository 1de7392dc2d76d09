"""Searching topics within limits."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.admin import topic_search
from roost.gateway.admin.own_node import OwnNode
from roost.gateway.admin.topic_search import Search, TopicSearch
from roost.shared.control import Message
from roost.shared.inspection import AskTopics, Cursor, TopicCount, TopicPage, TopicPages
from roost.shared.link import Refused
from roost.shared.shard_map import Slot
from roost.shared.supervisor import Supervisor

PAGE = 3


class TopicNode(OwnNode):
    """A node with one shard that has these topics."""

    def __init__(self, topics: dict[str, int]) -> None:
        workers = Supervisor("nothing", _nobody, _nobody, _nobody, stall_limit=10.0)
        super().__init__(workers, "app", lambda: None, lambda: "")
        self._rows = [TopicCount(*item) for item in topics.items()]
        self.under_way = 0
        self.most_under_way = 0

    async def ask_broker(self, question: Message, answer: type[Any]) -> Any:
        assert isinstance(question, AskTopics)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        cursors = question.cursors or (Cursor(Slot(0, 0), len(self._rows)),)
        before = cursors[0].before
        rows = [row for row in self._rows[max(0, before - PAGE) : before] if row.topic.startswith(question.prefix)]
        return TopicPages((TopicPage(Slot(0, 0), 1, max(0, before - PAGE), tuple(rows)),))


def _nobody(*_: object) -> Any:
    raise AssertionError("there are no children")


@given(
    topics=st.dictionaries(st.text("ab:", max_size=3), st.integers(1, 9), max_size=20),
    prefix=st.text("ab", max_size=1),
    order=st.sampled_from(("topic", "subscribers", "nonsense")),
    offset=st.integers(-3, 25),
    limit=st.integers(-3, 25),
)
def test_a_page_of_what_begins_so(topics: dict[str, int], prefix: str, order: str, offset: int, limit: int) -> None:
    async def search() -> Any:
        return await TopicSearch(TopicNode(topics)).find(Search(prefix, order, offset, limit))

    found = asyncio.run(search())
    right = {topic: count for topic, count in topics.items() if topic.startswith(prefix)}
    ranked = sorted(right.items(), key=lambda item: (-item[1], item[0]) if order == "subscribers" else (0, item[0]))
    first = max(0, offset)
    assert found.complete
    assert (found.total, found.subscribers) == (len(right), sum(right.values()))
    assert [(row.topic, row.subscribers) for row in found.topics] == ranked[first : first + max(1, limit)]


async def test_a_search_ends_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = {f"t{number}": 1 for number in range(10)}
    monkeypatch.setattr(topic_search, "MAX_COUNTED", 5)
    found = await TopicSearch(TopicNode(topics)).find(Search())
    assert (found.complete, found.total) == (False, 6)
    monkeypatch.setattr(topic_search, "SEARCH_LIMIT", -1.0)
    found = await TopicSearch(TopicNode(topics)).find(Search())
    assert (found.complete, found.total) == (False, 0)


async def test_one_search_runs_after_the_other() -> None:
    node = TopicNode({f"t{number}": 1 for number in range(10)})
    search = TopicSearch(node)
    answers = await asyncio.gather(*(search.find(Search()) for _ in range(4)))
    assert {found.total for found in answers} == {10}
    assert node.most_under_way == 1


async def test_without_a_broker_it_is_refused() -> None:
    node = OwnNode(Supervisor("nothing", _nobody, _nobody, _nobody, stall_limit=10.0), "app", lambda: None, lambda: "")
    with pytest.raises(Refused, match="there is no broker"):
        await TopicSearch(node).find(Search())
