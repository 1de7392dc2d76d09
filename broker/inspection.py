"""What the broker answers to those who look into the node, of the shards. The rest the gateway knows."""

import asyncio
from typing import Final

from roost.broker.shards import Shards
from roost.shared.control import AskStatus, ShardStatus
from roost.shared.hottest import AskHottestTopics, HottestTopics, ShardTopics, hottest_of_all
from roost.shared.inspection import AskTopicPage, AskTopics, ProcessBranch, TopicPage, TopicPages
from roost.shared.link import LinkClosed, Refused
from roost.shared.shard_map import Slot

ANSWER_LIMIT: Final = 2.0
"""Seconds after which whoever has not answered a question is named as silent."""
MEASURING_LIMIT: Final = 0.5
"""The same, where somebody looks again and again."""


async def topic_pages(shards: Shards, question: AskTopics) -> TopicPages:
    """The next page of each shard that the question names, or the first of all in which workers publish.

    While their number changes, each subscription stands in two epochs: one of them is counted. Raises Refused when the
    epoch has ended meanwhile.
    """
    slots: dict[Slot, int | None] = {cursor.slot: cursor.before for cursor in question.cursors}
    if not slots:
        slots = dict.fromkeys(slot for slot in shards.map.slots() if slot.epoch == shards.map.publish)
    if gone := [slot for slot in slots if shards.map.incarnation(slot) is None]:
        raise Refused(f"there is no shard {gone[0]} any more: the number of shards has changed; ask again")
    answers = await asyncio.gather(
        *(_page(shards, slot, AskTopicPage(question.prefix, before)) for slot, before in slots.items())
    )
    silent = (f"shard {slot}" for slot, page in zip(slots, answers, strict=True) if page is None)
    return TopicPages(tuple(page for page in answers if page is not None), tuple(silent))


async def _page(shards: Shards, slot: Slot, question: AskTopicPage) -> TopicPage | None:
    try:
        return await shards.ask(slot, question, TopicPage, ANSWER_LIMIT)
    except (LinkClosed, TimeoutError):
        return None


async def hottest_topics(shards: Shards, question: AskHottestTopics) -> HottestTopics:
    """The hottest topics of all shards together; while their number changes, of both epochs."""
    answers, silent = await shards.ask_all(question, ShardTopics, MEASURING_LIMIT)
    return HottestTopics(hottest_of_all(answers, question.limit), tuple(silent))


async def shard_branches(shards: Shards) -> tuple[ProcessBranch, ...]:
    """The shards of all epochs as a supervision tree shows them."""
    branches = []
    for child, restarts, answer in await shards.ask_each(AskStatus(), ShardStatus, ANSWER_LIMIT):
        branches.append(ProcessBranch(child.name, child.pid, restarts, answer is not None, _state(answer)))
    return tuple(sorted(branches, key=lambda branch: branch.name))


def _state(answer: ShardStatus | None) -> str:
    if answer is None:
        return ""
    return f"{answer.topics:,} topics, {answer.subscribers:,} subscribers" + ("" if answer.open else ", not open yet")
