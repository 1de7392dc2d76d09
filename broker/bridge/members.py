"""Who else is in the cluster, by what is heard of them. Pure.

Silence is counted in this node's own beats: a node that was suspended itself, or was cut off from the engine and hears
nobody, has counted few of them when it goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from roost.broker.bridge.incoming import Incoming
from roost.broker.bridge.wire import MAX_NUMBER, Beat, Origin, Unreadable
from roost.shared.cluster import ClusterNews, MessagesLost, NodeDown, NodeRow, NodeUp

DOWN_BEATS: Final = 4
"""A node that was not heard between so many of our beats has gone: 3 to 4 s."""
MAX_NODES: Final = 1024
"""So many other nodes are known at a time. Of further ones nothing is heard; what they say is counted as unreadable."""
MAX_GONE: Final = 256
"""So many nodes that have gone are remembered; then the one that was silent longest is forgotten."""


@dataclass(eq=False)
class Member:
    """Another node, there or gone, and what came from it."""

    origin: Origin
    heard: float
    incoming: Incoming = field(default_factory=Incoming)
    up: bool = False
    silent: int = 0
    """Our beats since it was heard."""
    version: str = ""
    reads: tuple[int, int] = (1, 1)
    said_goodbye: bool = False
    received: int = 0
    duplicates: int = 0
    lost: int = 0
    unknown_gaps: int = 0

    def row(self, now: float) -> NodeRow:
        """As it is shown."""
        counts = (self.received, self.duplicates, self.lost, self.unknown_gaps)
        return NodeRow(self.origin.node, self.version, now - self.heard, *counts, up=self.up)


class Members:
    """All other nodes that were ever heard."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        """By node id."""
        self.news: list[ClusterNews] = []
        """What happened; its owner empties it."""

    def all(self) -> list[Member]:
        """Those that are there and those that have gone, by name."""
        return sorted(self._members.values(), key=lambda member: member.origin.node)

    def up(self) -> dict[str, Member]:
        """Those that are there, by name."""
        return {member.origin.node: member for member in self._members.values() if member.up}

    def there(self) -> set[str]:
        """Those that are there, by node id."""
        return {node_id for node_id, member in self._members.items() if member.up}

    def knows(self, node: str) -> bool:
        """Whether a node of that name was ever heard."""
        return any(member.origin.node == node for member in self._members.values())

    def of(self, origin: Origin, now: float) -> Member | None:
        """Whose message this is, in the life of its bridge that is the last; None if that life is over.

        Raises Unreadable if there are too many nodes.
        """
        member = self._members.get(origin.node_id)
        if member is None:
            full = len(self._members) >= MAX_NODES
            self._make_room(0 if full else MAX_GONE - 1)
            if len(self._members) >= MAX_NODES:
                raise Unreadable(f"a message of {origin.node}, while {MAX_NODES} other nodes are there")
            member = self._members[origin.node_id] = Member(origin, now)
        elif origin.run < member.origin.run or (origin.run == member.origin.run and member.said_goodbye):
            return None
        elif origin.run > member.origin.run:
            self._begin_anew(member, origin)
        member.heard = now
        member.silent = 0
        return member

    def beat(self, member: Member, beat: Beat) -> None:
        """A node is there."""
        member.version = beat.release
        member.reads = (beat.oldest, beat.newest)
        if not member.up:
            member.up = True
            self.news.append(NodeUp(member.origin.node, member.origin.node_id))

    def goodbye(self, member: Member) -> None:
        """A node has gone, with nothing left to say."""
        member.said_goodbye = True
        self._down(member)

    def tick(self) -> None:
        """One of our own beats is sent."""
        for member in list(self._members.values()):
            member.silent += 1
            if member.up and member.silent >= DOWN_BEATS:
                self._down(member)

    def lost(self, member: Member, lost: int | None) -> None:
        """Publishes of a node did not come; None if nobody can know how many."""
        if lost is None:
            member.unknown_gaps += 1
        else:
            member.lost = min(member.lost + lost, MAX_NUMBER)
        self.news.append(MessagesLost(member.origin.node, lost))

    def missed(self, member: Member, lost: int, *, uncertain: bool) -> None:
        """What the numbers of a node show: nothing, or so many lost, or more that nobody can count."""
        if lost:
            self.lost(member, lost)
        if uncertain:
            self.lost(member, None)

    def interrupted(self, buckets: set[int]) -> None:
        """The connection is gone; these buckets were listened to."""
        for member in self._members.values():
            for bucket in buckets:
                member.incoming.interrupted(bucket)

    def forget(self, buckets: Iterable[int]) -> None:
        """These buckets are not listened to any more, or anew."""
        for bucket in buckets:
            for member in self._members.values():
                member.incoming.forget(bucket)

    def _begin_anew(self, member: Member, origin: Origin) -> None:
        if not member.said_goodbye:
            self.lost(member, None)
        member.origin = origin
        member.incoming = Incoming()
        member.said_goodbye = False

    def _down(self, member: Member) -> None:
        if member.up:
            member.up = False
            self.news.append(NodeDown(member.origin.node, member.origin.node_id))
        self._make_room(MAX_GONE)

    def _make_room(self, most: int) -> None:
        """Forget one of those that are not there, if they are more."""
        gone = [one for one in self._members.values() if not one.up]
        if len(gone) > most:
            del self._members[max(gone, key=lambda one: one.silent).origin.node_id]
