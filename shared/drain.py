"""How clients are sent away: in batches at a pace, within limits; and how a drain of the gateway stands. Pure."""

import math
from enum import Enum
from typing import Final, NamedTuple

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """So many clients at a time, and how often; but all within a limit (Phoenix's socket drainer)."""

    batch: int = 1000
    """Clients that are sent away at a time."""
    interval: float = 0.25
    """Seconds from one batch to the next."""
    spread: float = 30.0
    """Seconds over which clients are sent away at most: batches are larger where that would take longer."""

    def batch_of(self, clients: int) -> int:
        """How many of so many clients are sent away at a time."""
        if self.spread <= 0:
            return max(1, clients)
        return max(self.batch, math.ceil(clients * self.interval / self.spread))

    def seconds(self, clients: int) -> float:
        """What so many clients would take if there were no limit."""
        return (math.ceil(clients / self.batch) - 1) * self.interval if clients else 0.0

    def hurries(self, clients: int) -> bool:
        """Whether the limit makes the batches of so many clients larger."""
        return self.batch_of(clients) > max(1, self.batch) and self.seconds(clients) > self.spread

    def shared_by(self, workers: int) -> "Pace":
        """The pace of each of so many workers that together keep this one."""
        return msgspec.structs.replace(self, batch=max(1, self.batch // max(1, workers)))


CLOSING: Final = 5.0
"""Seconds that the last clients have to take the close frame and answer it."""
THROUGH: Final = 10.0
"""Seconds for what was published here to get through, afterwards: more than a stall may last."""
LEFT_TO_SHARDS: Final = 1.0
"""Seconds before the end of the stop limit at which the broker begins to stop its shards."""
LEFT_TO_GATEWAY: Final = 1.5
"""Seconds before the end of the stop limit at which the gateway kills workers that are still there."""
LEFT_TO_WORKER: Final = 2.0
"""Seconds that a worker has between telling its last client and being killed, at least."""
MARGIN: Final = 0.5
"""Seconds between two steps of a stop, at least."""
OVERTIME: Final = 5.0
"""Seconds after the limit of a worker at which it is killed."""


class StopTimes(NamedTuple):
    """When a worker that stops has done what, in seconds from the beginning."""

    spread: float
    """Clients have been told."""
    closing: float
    """How long the last of them have to go."""
    limit: float
    """The worker goes, even if not all that it published is through."""
    kill: float
    """The worker is killed if it is still there."""


def stop_times(drain_limit: float, stop_limit: float = math.inf) -> StopTimes:
    """The longest that a worker may take, where the whole node has `stop_limit` seconds (at least 4)."""
    kill = stop_limit - LEFT_TO_GATEWAY
    spread = min(drain_limit, kill - LEFT_TO_WORKER)
    limit = min(spread + CLOSING + THROUGH, kill - MARGIN)
    closing = min(CLOSING, limit - spread - MARGIN)
    return StopTimes(spread, closing, limit, min(limit + OVERTIME, kill))


class DrainPhase(Enum):
    """Where a drain of the gateway stands."""

    OPEN = "open"
    """There is none: clients are let in."""
    DRAINING = "draining"
    """New clients are refused, those that there are are being sent away."""
    DRAINED = "drained"
    """All clients are gone. It stays so until it is called off or the gateway ends."""


class DrainStatus(msgspec.Struct, frozen=True):
    """A drain of the gateway."""

    phase: DrainPhase = DrainPhase.OPEN
    clients: int = 0
    """Clients that were connected when it began."""
    left: int = 0
    """Those that still are."""
    seconds: float = 0.0
    """Since it began; how long it took, when all are gone."""
