"""What a scenario is going to do. Pure."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Work:
    """What is sent into the rooms."""

    title: str
    event: str = "new_msg"
    payload_bytes: int = 64
    window: int = 0
    """Messages in flight in each room: a closed loop."""
    rate: float = 0.0
    """Messages a second into all rooms together: an open loop."""
    warmup: float = 1.0
    seconds: float = 5.0
    day: bool = False
    """Whether the rate follows a day."""
    slices: int = 50


@dataclass(frozen=True)
class Visits:
    """Who comes and goes meanwhile."""

    visitors: int
    stay: float
    reconnect: bool
    presence: bool = False
    """Whether each is also present in the room's lobby."""


@dataclass(frozen=True)
class Crowding:
    """How many clients, and where they sit."""

    rooms: int
    members: int
    processes: int | None = None
    """Generator processes; as many as needed if not given."""
    at_once: int = 128
    """Clients under way at the same time while joining."""

    @property
    def clients(self) -> int:
        return self.rooms * self.members


class Fill(StrEnum):
    """When clients that do not read ask for so much that no more may wait for them."""

    BEFORE = "before"
    """Before the run."""
    MEANWHILE = "meanwhile"
    """In the middle of the measured time."""
    NEVER = "never"
    """Only what the others are sent piles up for them."""


@dataclass(frozen=True)
class Obstruction:
    """Who does not read meanwhile, in every second run."""

    clients: int
    policy: str
    """Of the rooms: an endpoint of `tests.applications.stuck`."""
    fill: Fill
    pairs: int
    """Runs with them, and as many without."""
