"""What came from other nodes: what of it is new, and how much is missing before it. Pure.

The publishes of one life of a bridge are numbered by bucket. The highest number that was seen shows what comes again,
and a number that is too high shows how many did not come. What a bucket had before this node listened to it is not
missed: the first message or beat after that is where counting begins.
"""

from typing import Final, NamedTuple

DIRECT: Final = -1
"""Stands for a bucket where publishes for this node alone are numbered."""


class Verdict(NamedTuple):
    """What publishes that came mean."""

    known: int
    """So many of them, the first ones, had come before."""
    lost: int
    """So many before them have not come and never will."""


class Incoming:
    """The numbers of one other node's bridge, in one life of it."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def publishes(self, bucket: int, first: int, count: int) -> Verdict:
        """`count` publishes came, numbered from `first`."""
        seen = self._seen.get(bucket, first - 1)
        self._seen[bucket] = max(seen, first + count - 1)
        return Verdict(known=min(count, max(0, seen + 1 - first)), lost=max(0, first - 1 - seen))

    def beat(self, bucket: int, last: int) -> int:
        """A beat says that up to `last` nothing is under way any more. How many are lost."""
        seen = self._seen.get(bucket, last)
        self._seen[bucket] = max(seen, last)
        return max(0, last - seen)

    def forget(self, bucket: int) -> None:
        """The bucket is not listened to any more."""
        self._seen.pop(bucket, None)
