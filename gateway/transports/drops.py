"""Counts the frames that were on their way to a subscriber and will not reach it, by reason. Pure.

One frame for one subscriber counts once. Replies and pushes are not counted: no shard has offered them.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a frame was dropped."""

    SLOW_DISCONNECT = "slow_disconnect"
    """It waited for a client that was disconnected for being too slow, or was the one too many."""
    DROP_NEWEST = "drop_newest"
    """Too much waited for the client, and its topic drops then."""
    LATEST = "latest"
    """A newer frame of its topic came before the client could take it."""
    NO_BINARY = "no_binary"
    """It is binary, and the client polls: what it is given there is text."""
    CLOSED = "closed"
    """The connection is closing or gone, and its subscriptions have not ended yet."""


class Drops:
    """The counts of one worker since it started."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = dict.fromkeys(Reason, 0)

    def add(self, reason: Reason, frames: int = 1) -> None:
        """So many frames are dropped."""
        self._counts[reason] += frames

    def counts(self) -> dict[str, int]:
        """How many frames were dropped, for every reason."""
        return {str(reason): count for reason, count in self._counts.items()}

    def total(self) -> int:
        """How many frames were dropped altogether."""
        return sum(self._counts.values())
