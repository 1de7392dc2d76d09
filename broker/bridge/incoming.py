"""What came from other nodes: what of it is new, and how much is missing before it. Pure.

The publishes of one life of a bridge are numbered by bucket. The highest number that was seen shows what comes again,
and a number that is too high shows how many did not come. What a bucket had before this node listened to it is not
missed: the first message or beat after that is where counting begins. If the connection goes before one came, nobody
can count.
"""

from typing import Final, NamedTuple

DIRECT: Final = -1
"""Stands for a bucket where publishes for this node alone are numbered."""


class Verdict(NamedTuple):
    """What numbers that came mean."""

    known: int
    """So many of the publishes, the first ones, had come before."""
    lost: int
    """So many before them have not come and never will."""
    uncertain: bool = False
    """Whether more may be lost that nobody can count."""


class Incoming:
    """The numbers of one other node's bridge, in one life of it."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._told: dict[int, int] = {}
        """What the last beat said of all buckets, whether or not they are listened to."""
        self._interrupted: dict[int, int] = {}
        """Buckets of which nothing had come when the connection went, with what the last beat had said of them."""

    def publishes(self, bucket: int, first: int, count: int) -> Verdict:
        """`count` publishes came, numbered from `first`."""
        seen, uncertain = self._begin(bucket, first - 1)
        self._seen[bucket] = max(seen, first + count - 1)
        return Verdict(min(count, max(0, seen + 1 - first)), max(0, first - 1 - seen), uncertain)

    def beat(self, bucket: int, last: int) -> Verdict:
        """A beat says that up to `last` nothing is under way any more."""
        seen, uncertain = self._begin(bucket, last)
        self._seen[bucket] = max(seen, last)
        return Verdict(0, max(0, last - seen), uncertain)

    def begin(self, bucket: int, last: int) -> None:
        """What comes after `last` is missed if it does not come, and nothing before it."""
        self._seen[bucket] = max(self._seen.get(bucket, 0), last)

    def told(self, numbers: dict[int, int]) -> None:
        """What a beat says of all buckets."""
        self._told = numbers

    def interrupted(self, bucket: int) -> None:
        """The connection is gone. What is published from now on in a bucket that was listened to is missed."""
        if bucket not in self._seen:
            self._interrupted.setdefault(bucket, self._told.get(bucket, 0))

    def forget(self, bucket: int) -> None:
        """The bucket is not listened to any more."""
        self._seen.pop(bucket, None)
        self._interrupted.pop(bucket, None)

    def _begin(self, bucket: int, base: int) -> tuple[int, bool]:
        """The highest number seen; if none was yet, `base`, and whether something was missed before."""
        if bucket in self._seen:
            return self._seen[bucket], False
        return base, self._interrupted.pop(bucket, base) < base
