"""A change of the number of shards, as it is told to those who ask. Pure."""

from enum import Enum

import msgspec


class ReshardingPhase(Enum):
    """Where a change of the number of shards stands."""

    PREPARING = "preparing"
    """The new shards start and hear from every worker. May still be given up."""
    CHANGING_OVER = "changing over"
    """Each worker goes to publish to the new shards, when nothing of it is under way in the old ones."""
    DONE = "done"
    ABORTED = "aborted"


class ReshardingStatus(msgspec.Struct, frozen=True):
    """A change of the number of shards."""

    epoch: int
    """The epoch that it brings: one change, one number."""
    shards_before: int
    shards: int
    phase: ReshardingPhase
    waits_for: tuple[str, ...] = ()
    seconds: float = 0.0
    """Since it began; how long it took, when it is over."""
    reason: str = ""
    """Why it was given up."""

    def at(
        self, phase: ReshardingPhase, waits_for: tuple[str, ...], seconds: float, reason: str = ""
    ) -> "ReshardingStatus":
        """The same change, later."""
        return ReshardingStatus(self.epoch, self.shards_before, self.shards, phase, waits_for, seconds, reason)
