"""The clients of all nodes in the same rooms, and the one of them that speaks."""

import os
import selectors
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Final, Self

from tests.load.cluster.listener import Listener
from tests.load.dialects.phoenix import Phoenix
from tests.load.display import Show
from tests.load.histogram import Histogram
from tests.load.server import ServerProcess
from tests.load.usage import Meter, Usage
from tests.load.wire import StampedPush, blank_payload

WAIT: Final = 0.05
WARMUP: Final = 0.5
"""Seconds before it is measured, at most."""
DRAIN_LIMIT: Final = 10.0
"""Seconds after the last publish; what has not come then is lost."""
SHOWN_EVERY: Final = 0.25
SECOND: Final = 1_000_000_000


@dataclass(frozen=True)
class Pace:
    """How fast, and for how long."""

    seconds: float
    rate: float = 0.0
    """Publishes a second, if it is an open loop."""
    window: int = 0
    """Publishes under way to anybody at most, if it is a closed one."""


@dataclass
class Heard:
    """What came of it."""

    published: int = 0
    """In the measured time: those that all clients have."""
    usage: Usage = field(default_factory=Usage)
    own: Histogram = field(default_factory=Histogram)
    """Latencies on the node that published."""
    others: Histogram = field(default_factory=Histogram)
    lost: int = 0
    duplicated: int = 0


class Audience:
    """The first client of the first node speaks, into one room after the other."""

    def __init__(self, ports: list[int], clients: int, rooms: int, payload_bytes: int) -> None:
        """So many clients on the node of each port, each in all rooms."""
        self._listeners = [Listener(node, port, rooms) for node, port in enumerate(ports) for _ in range(clients)]
        self._speaker = self._listeners[0].connection
        self._pushes = [_push(room, payload_bytes) for room in range(rooms)]
        self._numbers = count(1)
        self._sent = 0
        self._unsent = b""
        self._selector = selectors.DefaultSelector()
        for listener in self._listeners:
            self._selector.register(listener.connection, selectors.EVENT_READ, listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()
        for listener in self._listeners:
            listener.connection.close()

    def drive(self, pace: Pace, processes: list[ServerProcess], show: Show) -> Heard:
        """Publish, listen, account for everything."""
        self._go(pace, min(WARMUP, pace.seconds), show)
        for listener in self._listeners:
            listener.latency = Histogram()
        meter = Meter(processes)
        before, own_cpu = self._with_all(), time.process_time()
        meter.read()
        self._go(pace, pace.seconds, show)
        meter.read()
        cpu, published = time.process_time() - own_cpu, self._with_all() - before
        heard = Heard(published, meter.usage([cpu], pace.seconds))
        for listener in self._listeners:
            (heard.others if listener.node else heard.own).add(listener.latency)
        self._drain()
        heard.lost = sum(self._sent - listener.received for listener in self._listeners)
        heard.duplicated = sum(listener.duplicated for listener in self._listeners)
        return heard

    def _go(self, pace: Pace, seconds: float, show: Show) -> None:
        began = now = time.monotonic_ns()
        end, sent, shown = began + int(seconds * SECOND), self._sent, 0
        dues = _dues(began, pace.rate) if pace.rate else iter(())
        due = next(dues, 0)
        while now < end:
            if pace.rate:
                while due <= now:
                    self._say(due)
                    due = next(dues)
            else:
                for _ in range(pace.window - (self._sent - self._with_all())):
                    self._say(now)
            self._flush()
            self._listen(min(WAIT, max(0, due - time.monotonic_ns()) / SECOND) if pace.rate else WAIT)
            now = time.monotonic_ns()
            if now > shown + SHOWN_EVERY * SECOND:
                show((now - began) / SECOND, f"{self._sent - sent:,} published")
                shown = now

    def _with_all(self) -> int:
        """Messages that every client has received."""
        return min(listener.received for listener in self._listeners)

    def _say(self, due: int) -> None:
        number = next(self._numbers)
        self._unsent += self._pushes[number % len(self._pushes)].frame(due, number)
        self._sent = number

    def _flush(self) -> None:
        if self._unsent:
            try:
                self._unsent = self._unsent[self._speaker.send(self._unsent) :]
            except BlockingIOError:
                return

    def _listen(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            key.data.receive(time.monotonic_ns())

    def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_LIMIT
        while self._with_all() < self._sent and time.monotonic() < deadline:
            self._flush()
            self._listen(WAIT)


def _push(room: int, payload_bytes: int) -> StampedPush:
    return StampedPush(Phoenix().push(room, "new_msg", blank_payload(payload_bytes)), os.urandom(4))


def _dues(began: int, rate: float) -> Iterator[int]:
    return (began + int(number / rate * SECOND) for number in count(1))
