"""Searches the topics of all shards for operators, within limits that their patience and our memory set."""

import asyncio
import heapq
from typing import TYPE_CHECKING, Final

import msgspec

from roost.shared.inspection import TopicCount, TopicPages
from roost.shared.topic_walk import ORDERS, TopicWalk

if TYPE_CHECKING:
    from roost.gateway.admin.own_node import OwnNode

MAX_COUNTED: Final = 200_000
"""Topics that a search counts, by shard; beyond them it ends and says so: a longer prefix finds the rest."""
SEARCH_LIMIT: Final = 5.0
"""Seconds that a search takes at most; then it tells what it has found."""
MAX_PAGE: Final = 1000
"""Topics of one page."""


class Search(msgspec.Struct, frozen=True):
    """What to search for."""

    prefix: str = ""
    order: str = "subscribers"
    """`subscribers`, the most first, or `topic`."""
    offset: int = 0
    limit: int = 50


class Found(msgspec.Struct, frozen=True):
    """A page of what was found."""

    total: int
    """Topics that begin so."""
    subscribers: int
    """Of all of them."""
    topics: tuple[TopicCount, ...]
    complete: bool
    """Whether all were counted."""
    silent: tuple[str, ...]
    """Who did not answer: what stands there is not counted."""


class TopicSearch:
    """One search at a time, for all who ask."""

    def __init__(self, node: "OwnNode") -> None:
        self._node = node
        self._searching = asyncio.Lock()

    async def find(self, search: Search) -> Found:
        """The page that is asked for. Raises Refused."""
        async with self._searching:
            walk = TopicWalk(search.prefix)
            complete = await self._walk(walk)
        return _page(walk, search, complete=complete)

    async def _walk(self, walk: TopicWalk) -> bool:
        deadline = asyncio.get_running_loop().time() + SEARCH_LIMIT
        while question := walk.question:
            if walk.counted > MAX_COUNTED or asyncio.get_running_loop().time() > deadline:
                return False
            walk.take(await self._node.ask_broker(question, TopicPages))
        return True


def _page(walk: TopicWalk, search: Search, *, complete: bool) -> Found:
    counts = walk.subscribers()
    rows = (TopicCount(*item) for item in counts.items())
    offset = max(0, search.offset)
    until = offset + min(MAX_PAGE, max(1, search.limit))
    first = heapq.nsmallest(until, rows, key=ORDERS.get(search.order, ORDERS["topic"]))
    return Found(len(counts), sum(counts.values()), tuple(first[offset:]), complete, walk.silent)
