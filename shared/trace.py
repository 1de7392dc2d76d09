"""What is asked to follow what a node does as it happens, and what is answered. Pure.

A trace has a number. Whoever asks begins it, polls for what was seen since, and stops it (`trace_session` does). Each
process notes what it saw itself; `trace_assembly` puts one broadcast's hops together where they are read. All times
are nanoseconds of the machine's monotonic clock, which its processes share.
"""

from typing import Any, Final

import msgspec

from roost.shared.control_message import ControlMessage
from roost.shared.shard_map import Slot

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 10_000
"""Matches of one trace; then it ends."""
DEFAULT_SECONDS: Final = 60.0
MAX_SECONDS: Final = 600.0
"""So long a trace lasts at most."""
MAX_TRACES: Final = 8
"""Traces of a node at a time; one more is refused."""
ASKER_LIMIT: Final = 5.0
"""Seconds without a poll after which a trace ends, in every process for itself."""
ANSWER_LIMIT: Final = 0.5
"""Seconds after which a process that has not answered a poll is named as silent; it is asked again next time."""


class TraceFilter(msgspec.Struct, frozen=True):
    """What is to be shown: all that fits everything that is given."""

    topic: str | None = None
    """A pattern as in routes: a topic, or a prefix and one `*` at the end."""
    event: str | None = None
    socket: str | None = None
    """`WORKER.NUMBER`, or the id that the application gave."""

    def __post_init__(self) -> None:
        """Raises ValueError if the pattern is none."""
        if self.topic is not None and (not self.topic or "*" in self.topic[:-1]):
            raise ValueError(f"a topic pattern is a topic or a prefix with one * at its end, not {self.topic!r}")


# From whoever asks


class StartTrace(ControlMessage, frozen=True):
    """To the broker. Answered by `TraceStarted`, when all processes that answer take part."""

    filter: TraceFilter = TraceFilter()
    limit: int = DEFAULT_LIMIT
    seconds: float = DEFAULT_SECONDS


class PollTrace(ControlMessage, frozen=True):
    """To the broker, again and again. Answered by a `TracePage`; refused if there is no such trace any more."""

    number: int
    got: dict[str, int] = msgspec.field(default_factory=dict)
    """By process the number of the last note that was read; it is not answered again."""


class StopTrace(ControlMessage, frozen=True):
    """To the broker. Answered by True, whether or not the trace was still on."""

    number: int


# From the broker


class FollowTrace(ControlMessage, frozen=True):
    """From the broker to shards and the bridge, and by way of the gateway to workers: what `number` has seen.

    Begins it, if it is new.

    Answered by `TraceNotes`, of a gateway by `FollowedTrace`.
    """

    number: int
    filter: TraceFilter
    limit: int
    got: dict[str, int] = msgspec.field(default_factory=dict)


class EndTrace(ControlMessage, frozen=True):
    """Told the same way: note nothing more."""

    number: int


TraceMessage = StartTrace | PollTrace | StopTrace | FollowTrace | EndTrace


# What a process notes


class _Note(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Something that one process saw."""


class Happened(_Note, frozen=True):
    """Something that a client, a channel or a subscription did, or that was sent to a client."""

    kind: str
    at: int
    worker: int
    socket: str | None = None
    """`WORKER.NUMBER`; None for code that is no channel's."""
    topic: str | None = None
    event: str | None = None
    ref: str | None = None
    status: str | None = None
    subscriber: int | None = None
    slot: Slot | None = None
    """The shard that serves a subscription: what the look-up by its client's hash gave."""
    recipients: int | None = None
    size: int | None = None
    """Bytes of the payload; of what is sent to a client those of its frame."""
    payload: str | None = None
    """Filtered as in log lines, and cut."""


class Published(_Note, frozen=True):
    """A broadcast left the worker that it begins in, or the bridge that it came by, for all shards."""

    at: int
    worker: int
    number: int
    """Its number among the worker's publishes."""
    topic: str
    event: str | None
    """None for a message from code to code."""
    shards: int
    size: int
    payload: str | None = None
    socket: str | None = None
    """Whose channel's code published it, if a channel's did."""
    received: int | None = None
    """When the client's message that the channel handled was here, all of it."""
    decoded: int | None = None
    node: str | None = None
    """The other node that it came from; `worker` is then the bridge's number, and `received` when the bridge had it."""


class FannedOut(_Note, frozen=True):
    """A shard took a broadcast, looked its members up and encoded it."""

    publisher: int
    number: int
    slot: Slot
    arrived: int
    encoded: int
    members: dict[int, int]
    """By worker: how many of its subscribers the topic has in this shard."""


class Written(_Note, frozen=True):
    """A worker handed over what a shard sent it of a broadcast."""

    publisher: int
    number: int
    slot: Slot
    worker: int
    arrived: int
    first_write: int
    last_write: int
    """When all that came with it was written, too."""
    recipients: int


Note = Happened | Published | FannedOut | Written


# Answers


class TraceStarted(msgspec.Struct, frozen=True):
    """A trace is on."""

    number: int
    wall: int
    """Nanoseconds from the clock of the node's machine, which notes have their times by, to those since 1970."""
    silent: tuple[str, ...] = ()
    """Who did not answer yet; it takes part from its first answer on."""


class TraceNotes(msgspec.Struct, frozen=True):
    """What one process noted since."""

    process: str
    notes: tuple[Note, ...]
    last: int
    """The number of the last of these: what `got` is to say next time."""
    lost: int
    """How many matches were not kept so far, because too many waited to be read."""
    more: bool = False
    """Whether there are more already."""


class FollowedTrace(msgspec.Struct, frozen=True):
    """What the workers answered a gateway: `TraceNotes`, as they came."""

    processes: tuple[Any, ...]
    silent: tuple[str, ...] = ()


class TracePage(msgspec.Struct, frozen=True):
    """What all processes noted since."""

    processes: tuple[TraceNotes, ...]
    silent: tuple[str, ...] = ()
    over: bool = False
    """Whether its time is up: there will be nothing more."""
