"""The worker's copy of an audience: a shard's name for subscribers of one topic, kept resolved. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from roost.shared.bus import Lane


class Subscription:
    """One subscriber of this worker: a joined channel, or a mailbox of code. Its number is never reused."""

    __slots__ = (
        "audiences",
        "client_hash",
        "inbox",
        "intercepts",
        "lane",
        "number",
        "outlet",
        "since",
        "standing",
        "topic",
    )

    def __init__(
        self,
        number: int,
        client_hash: int,
        topic: str,
        lane: Lane,
        intercepts: tuple[str, ...],
        outlet: Any,
        inbox: Any,
        since: float,
    ) -> None:
        self.number = number
        self.client_hash = client_hash
        """32-bit phash2 of its client, by which its shard is chosen."""
        self.topic = topic
        self.lane = lane
        self.intercepts = intercepts
        self.outlet = outlet
        """Where frames go: the client's transport. None for a mailbox."""
        self.inbox = inbox
        """Where letters go: what runs the channel's code, or the mailbox."""
        self.since = since
        """When it was made, by a clock of a worker's; as exact as that one ticks."""
        self.standing = False
        """Whether its shards have confirmed it; nothing is handed to it before."""
        self.audiences: tuple[Audience, ...] = ()

    @property
    def fan_out(self) -> int:
        """How many a broadcast to it goes to: the members of its audiences."""
        return sum(len(audience.members) for audience in self.audiences)


class Audience:
    """The members that the shard counts, and those of them that are to be served, as lists ready to loop over."""

    __slots__ = ("_inboxes", "_outlets", "lane", "members", "topic")

    def __init__(self, topic: str, lane: Lane) -> None:
        self.topic = topic
        self.lane = lane
        self.members: dict[int, Subscription | None] = {}
        """What the shard believes; None stands for one that has left meanwhile."""
        self._outlets: list[Any] | None = None
        self._inboxes: list[Any] | None = None

    def join(self, numbers: Iterable[int], subscriptions: dict[int, Subscription]) -> None:
        """The shard counts these among the members."""
        for number in numbers:
            subscription = self.members[number] = subscriptions.get(number)
            if subscription is not None:
                subscription.audiences += (self,)
        self.changed()

    def leave(self, numbers: Iterable[int]) -> None:
        """The shard does not count these any more."""
        for number in numbers:
            subscription = self.members.pop(number, None)
            if subscription is not None:
                subscription.audiences = tuple(one for one in subscription.audiences if one is not self)
        self.changed()

    def gone(self, number: int) -> None:
        """A member has left; the shard does not know it yet."""
        if number in self.members:
            self.members[number] = None
            self.changed()

    def disband(self) -> None:
        """The shard has forgotten this audience."""
        self.leave(list(self.members))

    def changed(self) -> None:
        """Someone came, went, or is confirmed now. Lists given out before stay as they were."""
        self._outlets = None
        self._inboxes = None

    def outlets(self, but: int = 0) -> list[Any]:
        """Where a frame goes, except to one subscriber. The list is never changed, so it may be kept."""
        if self._outlets is None:
            self._outlets = [one.outlet for one in self._served()]
        return [one.outlet for one in self._served() if one.number != but] if but in self.members else self._outlets

    def inboxes(self, but: int = 0) -> list[Any]:
        """Where a letter goes, except to one subscriber. The list is never changed, so it may be kept."""
        if self._inboxes is None:
            self._inboxes = [one.inbox for one in self._served()]
        return [one.inbox for one in self._served() if one.number != but] if but in self.members else self._inboxes

    def gone_members(self, but: int = 0) -> int:
        """How many of the members have left, except one subscriber."""
        return sum(one is None and number != but for number, one in self.members.items())

    def _served(self) -> Iterator[Subscription]:
        return (one for one in self.members.values() if one is not None and one.standing)
