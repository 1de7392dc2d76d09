"""The books of shards and workers as the control socket answers them: every delivery is somewhere. Pure."""

import msgspec


class ShardBooks(msgspec.Struct, frozen=True):
    """What became of an incarnation's deliveries: `fanout = acknowledged + outbox + to_dead`, by subscriber."""

    fanout: int
    """Publishes times their subscribers."""
    acknowledged: int
    """Handed over by workers; their books say to whom."""
    outbox: int
    """Under way: not acknowledged yet."""
    to_dead: int
    """Under way to workers that died."""

    def missing(self) -> int:
        """By how many deliveries the books do not balance."""
        return self.fanout - self.acknowledged - self.outbox - self.to_dead


class WorkerBooks(msgspec.Struct, frozen=True):
    """What became of what a worker was offered, by subscriber.

    `offered = delivered + duplicate + gone + early + all of dropped`.
    """

    offered: int
    delivered: int
    """Messages handed to subscribers."""
    duplicate: int
    """Repeated after the death of a shard; the subscriber had them."""
    gone: int
    """The subscriber had left."""
    early: int
    """The subscriber's join was not answered yet."""
    dropped: dict[str, int]
    """Not taken by the client's transport, by reason."""

    def missing(self) -> int:
        """By how many deliveries the books do not balance."""
        return self.offered - self.delivered - self.duplicate - self.gone - self.early - sum(self.dropped.values())
