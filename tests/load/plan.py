"""What a scenario is going to do. Pure."""

from dataclasses import dataclass


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
