"""What a bridge notes of the broadcasts of other nodes that are traced. While no trace is on, nobody is asked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from roost.shared.bus import TRACED
from roost.shared.crossing import Crossing
from roost.shared.topics import RESERVED
from roost.shared.trace import FollowTrace, Published, TraceNotes
from roost.shared.trace_recorder import Recording, Recordings

MAX_NAME: Final = 1024
"""Characters of a name that are told."""


@dataclass(frozen=True)
class Followed:
    """One broadcast that is traced, until it has its number in this node."""

    trace: int
    """What its PUBLISH says: when it was handed to the shards, with the bit that makes it traced."""
    published: Callable[[int], None]
    """To be called with its number."""


class BridgeTrace:
    """The traces that one bridge takes part in."""

    def __init__(self, worker: int, shards: Callable[[], int], clock: Callable[[], int] = time.monotonic_ns) -> None:
        """`worker` is the bridge's number on the bus; `shards` tells how many a publish goes to."""
        self.on = False
        self.clock = clock
        """Nanoseconds of the machine's monotonic clock."""
        self._worker = worker
        self._shards = shards
        self._recordings = Recordings(f"bridge {worker}")

    @property
    def count(self) -> int:
        """How many traces are on."""
        return len(self._recordings.on)

    def follow(self, question: FollowTrace, now: float) -> TraceNotes:
        """What was noted since; the first question of a trace begins it."""
        notes = self._recordings.follow(question, now)
        self.on = bool(self._recordings.on)
        return notes

    def end(self, number: int) -> None:
        """A trace is over."""
        self._recordings.end(number)
        self.on = bool(self._recordings.on)

    def end_unasked(self, now: float) -> None:
        """End the traces that nobody asks for any more."""
        self._recordings.end_unasked(now)
        self.on = bool(self._recordings.on)

    def mark(self, crossing: Crossing, node: str, arrived: int) -> Followed | None:
        """Whether a broadcast of another node is to be traced, which came at that time."""
        wanting = self._wanting(crossing)
        if not any(recording.has_room() for recording in wanting):
            for recording in wanting:
                recording.lost += 1
            return None
        trace = self.clock() | TRACED

        def published(number: int) -> None:
            note = Published(
                *(trace, self._worker, number, crossing.topic[:MAX_NAME], crossing.event[:MAX_NAME] or None),
                shards=self._shards(),
                size=len(crossing.payload),
                node=node,
                received=arrived,
            )
            for recording in self._wanting(crossing):
                recording.match(note)

        return Followed(trace, published)

    def _wanting(self, crossing: Crossing) -> list[Recording]:
        """Who looks for it: nobody who looks for one socket, for those are in this node."""
        topic, event = crossing.topic, crossing.event or None
        if topic.startswith(RESERVED):
            return []
        return [one for one in self._recordings.on if one.socket is None and one.matches(topic, event)]
