"""Whether all servers of an engine know of a subscription that one of them has confirmed. Pure.

Where an engine is of several servers, one tells the others of it, and what is published at those meanwhile does not
come. It tells them before it hands on what we publish next. So we ask all nodes behind it: who has heard the question
and answers publishes from then on to us, and says by numbers where that begins.
"""

from collections.abc import Iterable


class Spreading:
    """The buckets that were confirmed anew, and what the other nodes answered."""

    def __init__(self) -> None:
        self._number = 0
        self._waiting: dict[int, int] = {}
        """Buckets, with the number of the question behind their subscription."""
        self._answered: dict[str, int] = {}
        """By node id: the last question that it has answered."""

    def began(self, buckets: set[int]) -> None:
        """One server of the engine has confirmed these: all nodes are to be asked."""
        self._number += 1
        self._waiting |= dict.fromkeys(buckets, self._number)

    def question(self) -> tuple[int, list[int]] | None:
        """Its number and the buckets that it is about; None if nobody need be asked."""
        return (self._number, sorted(self._waiting)) if self._waiting else None

    def answered(self, node_id: str, number: int) -> set[int]:
        """A node has answered: the buckets of which we hear all from it, as of now."""
        before = self._answered.get(node_id, 0)
        self._answered[node_id] = max(before, number)
        return {bucket for bucket, asked in self._waiting.items() if before < asked <= number}

    def waiting(self, there: Iterable[str]) -> set[int]:
        """Buckets of which somebody who is there, by node id, has not answered yet."""
        self._answered = {node_id: self._answered.get(node_id, 0) for node_id in there}
        floor = min(self._answered.values(), default=self._number)
        self._waiting = {bucket: asked for bucket, asked in self._waiting.items() if asked > floor}
        return set(self._waiting)

    def lost(self) -> None:
        """The connection is gone."""
        self._waiting.clear()
