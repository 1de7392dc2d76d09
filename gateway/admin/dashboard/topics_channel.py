"""The channel that finds topics, and who subscribes to one."""

from typing import Final

import msgspec

from roost.gateway.admin.dashboard.socket import DashboardSocket
from roost.gateway.admin.topic_search import Search
from roost.gateway.channel import Channel
from roost.gateway.events import event
from roost.gateway.replies import Error, Ok
from roost.shared.inspection import AskSubscribers
from roost.shared.link import Refused

MAX_SUBSCRIBERS: Final = 200
"""Subscribers of a topic that are shown one by one."""


class OneTopic(msgspec.Struct, frozen=True):
    """Which topic."""

    topic: str


class TopicsChannel(Channel[DashboardSocket]):
    """Answers; tells nothing by itself."""

    @event("search")
    async def search(self, payload: Search) -> Ok | Error:
        """A page of the topics that begin so."""
        try:
            return Ok(await self.socket.desk.search.find(payload))
        except Refused as refused:
            return Error({"reason": str(refused)})

    @event("subscribers")
    async def subscribers(self, payload: OneTopic) -> Ok | Error:
        """The first subscribers of a topic, and how many there are."""
        try:
            return Ok(await self.socket.desk.node.ask(AskSubscribers(payload.topic, MAX_SUBSCRIBERS)))
        except Refused as refused:
            return Error({"reason": str(refused)})
