"""What became of every message that shards offered to a worker's subscribers, counted by subscriber. Pure.

They balance: ``offered = delivered + duplicate + gone + early + all that was dropped, by reason``.
"""

from collections.abc import Mapping
from typing import NamedTuple

from roost.shared.books import WorkerBooks
from roost.shared.shard_map import Slot


class Timed(NamedTuple):
    """An entry whose way is timed."""

    publisher: int
    number: int
    trace: int
    slot: Slot
    topic: str
    recipients: int
    """Clients and inboxes that it is for."""
    framed: bool
    """Whether any of it is for clients as it is, and not for code."""


class Books:
    """The books of one worker."""

    __slots__ = ("due", "duplicate", "early", "gone", "handed", "offered", "timed")

    def __init__(self) -> None:
        self.offered = 0
        """Every entry of every batch that was not acknowledged before, for every subscriber it names."""
        self.due = 0
        """Arrived in this turn, and about to be handed over."""
        self.timed: list[Timed] = []
        """Those among it whose way is timed; emptied by whoever hands it over."""
        self.handed = 0
        """Handed to a client's transport or to the code of a channel or mailbox."""
        self.duplicate = 0
        """Had come before, by way of an earlier incarnation of the shard."""
        self.gone = 0
        """The subscriber had left, and the shard did not know it yet."""
        self.early = 0
        """The subscriber's join was not answered yet."""

    def hand_over(self, handed: int) -> None:
        """So much of what was due was handed over; who was to have the rest has left meanwhile."""
        self.handed += handed
        self.gone += self.due - handed
        self.due = 0

    def answer(self, dropped: Mapping[str, int]) -> WorkerBooks:
        """The books as the control socket answers them, with what transports dropped of what they were handed."""
        return WorkerBooks(
            offered=self.offered,
            delivered=self.handed - sum(dropped.values()),
            duplicate=self.duplicate,
            gone=self.gone,
            early=self.early,
            dropped=dict(dropped),
        )
