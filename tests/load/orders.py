"""What generator processes are told to do, and what they answer."""

from collections import Counter
from dataclasses import dataclass, field

from tests.load.histogram import Histogram


class LoadTestFailed(Exception):
    """The test cannot go on; the text is one sentence that says why."""


@dataclass(frozen=True)
class Address:
    """Where a server's WebSocket is."""

    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Seat:
    """The part of a room that one process fills."""

    room: int
    members: int
    home: bool
    """Whether this process sends into the room."""
    spans: bool
    """Whether other processes have members in it too."""


# Orders


@dataclass(frozen=True)
class Join:
    """Fill these seats as fast as the server allows."""

    seats: tuple[Seat, ...]
    at_once: int
    """Clients that are under way at the same time."""
    limit: float
    """Seconds in which all must have joined."""


@dataclass(frozen=True)
class HangUp:
    """Close all connections, whether the server has closed them or not."""


@dataclass(frozen=True)
class Prepare:
    """Send one message into each room: it shows what frames look like here, and that all members hear."""

    event: str
    payload_bytes: int
    watched: bool
    """Whether other processes look at what is sent."""


@dataclass(frozen=True)
class Drive:
    """Send messages into the rooms that are prepared, and account for every delivery."""

    start: int
    """When to begin, on the monotonic clock in ns, the same for all processes."""
    warmup: float
    seconds: float
    """How long to measure after the warm-up."""
    window: int = 0
    """Messages in flight in each room, if it is a closed loop."""
    rate: float = 0.0
    """Messages a second into all rooms of this process together, if it is an open loop."""
    day: bool = False
    """Whether the rate follows a day."""
    slices: int = 50
    """Pieces of the measured time that are reported one by one."""


@dataclass(frozen=True)
class Hold:
    """Stay connected and send heartbeats, evenly spread."""

    seconds: float
    period: float


@dataclass(frozen=True)
class Visit:
    """Come and go in rooms that others drive."""

    start: int
    seconds: float
    visitors: int
    rooms: int
    stay: float
    """Seconds between a join and the leave after it."""
    reconnect: bool
    """Whether a visitor comes on a new connection each time."""
    day: bool
    presence: bool
    """Whether a visitor is also present in the room's lobby."""
    limit: float = 20.0
    """Seconds in which a visitor must have its answer."""


Order = Join | HangUp | Prepare | Drive | Hold | Visit


# Answers


@dataclass
class Joined:
    """How joining went."""

    clients: int = 0
    failures: int = 0
    """Attempts that the server did not let through; they were repeated."""
    reason: str = ""
    """Why the last of them failed."""
    seconds: float = 0.0
    cpu: float = 0.0
    latency: Histogram = field(default_factory=Histogram)
    """From the connect to the reply to the join."""


@dataclass
class Slice:
    """A piece of the measured time."""

    at: float
    """Seconds since measuring began, at the end of the slice."""
    seconds: float
    deliveries: int
    latency: Histogram


@dataclass
class Driven:
    """How driving went; all but the losses belongs to the measured time."""

    messages: int = 0
    deliveries: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    latency: Histogram = field(default_factory=Histogram)
    """From when a message was due to its receipt by a witness."""
    last: Histogram = field(default_factory=Histogram)
    """The same to the last receipt of all members, a figure a message."""
    spread: Histogram = field(default_factory=Histogram)
    """From the first witness's receipt to the last of all."""
    slices: list[Slice] = field(default_factory=list)
    frame_bytes: int = 0
    lost: int = 0
    duplicated: int = 0
    corrupt: int = 0
    """Frames that a witness did not expect: other bytes, or out of turn."""
    disconnected: int = 0


@dataclass
class Held:
    """How idling went."""

    seconds: float = 0.0
    cpu: float = 0.0
    beats: int = 0
    answers: int = 0
    latency: Histogram = field(default_factory=Histogram)
    disconnected: int = 0


@dataclass
class Visited:
    """How the visits went."""

    seconds: float = 0.0
    cpu: float = 0.0
    joins: int = 0
    leaves: int = 0
    deliveries: int = 0
    join_latency: Histogram = field(default_factory=Histogram)
    lost: int = 0
    """Messages missed between the reply to a join and the leave."""
    duplicated: int = 0
    stray: int = 0
    """Messages received after the reply to a leave."""
    states: int = 0
    """How often a visitor was shown who is present."""
    diffs: int = 0
    unseen: int = 0
    """Stays in which a visitor was not shown itself among those present."""
    failures: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Trouble:
    """The order could not be carried out."""

    reason: str


Answer = Joined | Driven | Held | Visited | Trouble | None


@dataclass
class Attended:
    """What was counted of presence."""

    seconds: float = 0.0
    joins: int = 0
    leaves: int = 0
    diffs: int = 0
    diff_bytes: int = 0
    """Of all watchers together."""
    state_bytes: int = 0
    until_state: Histogram = field(default_factory=Histogram)
    """From a join to its whole `presence_state`."""
    until_seen: Histogram = field(default_factory=Histogram)
    """From a join to a watcher's diff that has it."""
    listing: Histogram = field(default_factory=Histogram)
    faults: list[str] = field(default_factory=list)


@dataclass
class Obstructed:
    """One run without clients that do not read, and the one after it with them."""

    without: Driven
    stuck: Driven
    memory_before: float
    """Bytes of the workers, just before they came."""
    memory: float
    """The most, with them."""
    dropped: Counter[str]
    """Frames, by reason, while they were there."""
