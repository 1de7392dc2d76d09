"""`roost topics`: walks through the topics of all shards and shows a page of them."""

import asyncio

import msgspec

from roost.commands.node import Where, connected_node
from roost.commands.terminal import console, number, print_silent, table, visible
from roost.shared.inspection import TopicCount, TopicPages
from roost.shared.topic_walk import ORDERS, TopicWalk


class Topics(msgspec.Struct, frozen=True):
    """A page of the topics that were asked for, with whoever did not answer."""

    total: int
    """Topics in all."""
    subscribers: int
    """Of all of them."""
    topics: tuple[TopicCount, ...]
    silent: tuple[str, ...] = ()


def topics(where: Where, prefix: str, order: str, *, reverse: bool, limit: int, offset: int) -> Topics:
    """Count the topics that begin so, and sort them. Raises CannotStart."""
    return page(asyncio.run(_walk(where, prefix)), order, reverse=reverse, limit=limit, offset=offset)


def page(walk: TopicWalk, order: str, *, reverse: bool, limit: int, offset: int) -> Topics:
    """So many of what was counted, in that order."""
    counts = walk.subscribers()
    rows = sorted((TopicCount(*item) for item in counts.items()), key=ORDERS[order], reverse=reverse)
    return Topics(len(rows), sum(counts.values()), tuple(rows[offset : offset + limit]), walk.silent)


def print_topics(answer: Topics, offset: int) -> None:
    """Topics with the number of their subscribers."""
    out = console()
    rows = table("topic", "subscribers")
    for row in answer.topics:
        rows.add_row(visible(row.topic), number(row.subscribers))
    out.print(rows)
    shown = offset + len(answer.topics)
    if len(answer.topics) < answer.total:
        out.print(
            f"{offset + 1:,} to {shown:,} of {answer.total:,} topics with {answer.subscribers:,} subscribers in all "
            "(--limit, --offset)"
            if answer.topics
            else f"{answer.total:,} topics, none beyond {offset:,}"
        )
    print_silent(out, answer.silent)


async def _walk(where: Where, prefix: str) -> TopicWalk:
    walk = TopicWalk(prefix)
    async with connected_node(where) as node:
        while question := walk.question:
            walk.take(await node.ask(question, TopicPages))
    return walk
