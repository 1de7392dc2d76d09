"""A change of the number of workers, as the gateway tells of it. Pure."""

from enum import Enum

import msgspec


class WorkerChangePhase(Enum):
    """Where a change of the number of workers stands."""

    STARTING = "starting"
    """New workers start. Given up if one of them cannot."""
    DRAINING = "draining"
    """Workers that are removed send their clients away and wait until what these caused is through."""
    DONE = "done"
    ABORTED = "aborted"


class WorkerChange(msgspec.Struct, frozen=True):
    """A change of the number of workers."""

    number: int
    """Counted by the gateway since it started: one change, one number."""
    workers_before: int
    workers: int
    phase: WorkerChangePhase
    clients: int = 0
    """Clients that were connected to the workers that are removed, when it began."""
    left: int = 0
    """Those of them that still are."""
    killed: tuple[str, ...] = ()
    """Workers that were not gone in time."""
    seconds: float = 0.0
    """Since it began; how long it took, when it is over."""
    reason: str = ""
    """Why it was given up."""
