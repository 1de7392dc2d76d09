"""Members of a topic with phoenix.js's Presence: what each has been told, and whether it adds up."""

import asyncio
from collections import Counter
from typing import Any

from tests.e2e.node import Node
from tests.e2e.phoenix_js import Channel, Client, PhoenixJs
from tests.limits import LIMIT

Picture = dict[str, list[str]]
"""By key the references, sorted."""


class Member:
    """One client in one topic."""

    def __init__(self, phoenix: PhoenixJs, client: Client, channel: Channel, user: str) -> None:
        self.phoenix = phoenix
        self.client = client
        self.channel = channel
        self.user = user
        self._looked_at = 0
        self._events: dict[str, list[dict[str, Any]]] = {}

    @classmethod
    async def join(cls, phoenix: PhoenixJs, node: Node, topic: str, user: str, **options: Any) -> "Member":
        client = await phoenix.connect(node.url, **options)
        return cls(phoenix, client, await client.join(topic, {"user": user}, presence=True), user)

    async def worker(self) -> int:
        return int((await self.channel.push("where"))[1]["worker"])

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What phoenix.js has told of its Presence: `join`, `leave` or `sync`."""
        seen = self.phoenix.seen
        while self._looked_at < len(seen):
            one = seen[self._looked_at]
            self._looked_at += 1
            if one.get("channel") == self.channel.name and "event" in one and "payload" not in one:
                self._events.setdefault(one["event"], []).append(one)
        return self._events.get(kind, [])

    def picture(self) -> Picture:
        """What it has now."""
        synced = self.events("sync")
        return picture_of(synced[-1]["list"]) if synced else {}

    def references(self, kind: str) -> Counter[str]:
        """How often it was told of each reference that it joined, or left."""
        what = {"join": "joined", "leave": "left"}[kind]
        return Counter(meta["phx_ref"] for seen in self.events(kind) for meta in seen[what]["metas"])

    def check_counts(self) -> None:
        """Nobody was told twice, nobody left who had not joined, and the rest is the picture."""
        joined, left = self.references("join"), self.references("leave")
        assert set(joined.values()) <= {1}, f"{self.user}: {joined}"
        assert left <= joined, f"{self.user}: {left - joined} left without having joined"
        assert set(joined - left) == {reference for references in self.picture().values() for reference in references}

    def diffs(self) -> list[Any]:
        return self.channel.payloads("presence_diff")

    async def truth(self) -> Picture:
        """What the server lists."""
        return picture_of((await self.channel.push("list"))[1])


def picture_of(presences: Any) -> Picture:
    return {key: sorted(meta["phx_ref"] for meta in presence["metas"]) for key, presence in presences.items()}


async def agree(members: list[Member], users: dict[str, int], counted: list[Member] | None = None) -> Picture:
    """Wait until all members have the same picture: these users, on so many devices each; it is the server's.

    `counted`: who was told each change once; all if not given. Who comes back to a worker that has just started may be
    told that others joined once more: the worker waits a second for what the others know, no longer.
    """

    def settled() -> bool:
        pictures = [member.picture() for member in members]
        same = all(picture == pictures[0] for picture in pictures)
        return same and {user: len(references) for user, references in pictures[0].items()} == users

    picture: Picture = {}
    truths: list[Picture] = []
    try:
        async with asyncio.timeout(LIMIT):
            while not truths or any(truth != picture for truth in truths):
                await members[0].phoenix.sees(lambda _: settled(), "all have the same picture", LIMIT)
                picture = members[0].picture()
                truths = [await member.truth() for member in members]
    except (AssertionError, TimeoutError):
        pictures = {member.user: member.picture() for member in members}
        raise AssertionError(f"wanted {users}, but they have {pictures}; the server lists {truths}") from None
    for member in members if counted is None else counted:
        member.check_counts()
    return picture


async def join_all(phoenix: PhoenixJs, node: Node, topic: str, users: list[str]) -> list[Member]:
    return list(await asyncio.gather(*(Member.join(phoenix, node, topic, user) for user in users)))
