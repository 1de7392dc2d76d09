"""Clients of one node that join a topic, leave it and join the next: what interest in topics costs a bridge."""

import selectors
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import msgspec

from roost.shared.crossing import bucket_of
from tests.load.cluster.listener import READ, connect, framed
from tests.load.dialects.phoenix import join_text, leave_text
from tests.load.display import Show
from tests.load.histogram import Histogram
from tests.load.orders import LoadTestFailed
from tests.load.server import ServerProcess
from tests.load.usage import Meter, Usage
from tests.load.wire import cut_frames

ANSWER_LIMIT = 10.0
SHOWN_EVERY = 200


@dataclass
class Churned:
    """How it went."""

    topics: int = 0
    seconds: float = 0.0
    first: Histogram = field(default_factory=Histogram)
    """Joins of a bucket in which nobody had joined, from the push to the reply."""
    later: Histogram = field(default_factory=Histogram)
    usage: Usage = field(default_factory=Usage)


class Visitor:
    """One client on its way through the topics."""

    def __init__(self, port: int, topics: Iterator[str], known: set[int], churned: Churned) -> None:
        """`known` are the buckets in which somebody has joined; all visitors share them, and the topics."""
        self.connection = connect(port)
        self.done = False
        self._topics = topics
        self._known = known
        self._churned = churned
        self._rest = b""
        self._topic = ""
        self._ref = 0
        self._sent = 0
        self._first = self._joined = False

    def go_on(self) -> None:
        """Join the next topic, if there is one."""
        self._topic = next(self._topics, "")
        self.done = not self._topic
        if not self.done:
            self._ref += 1
            self._joined = False
            self._first = bucket_of(self._topic) not in self._known
            self._sent = time.monotonic_ns()
            self.connection.sendall(framed(join_text(self._topic, self._ref)))

    def receive(self) -> None:
        """Read what has come, and act on it. Raises LoadTestFailed."""
        data = self.connection.recv(READ)
        if not data:
            raise LoadTestFailed("a node closed a client's connection")
        frames, self._rest = cut_frames(self._rest + data)
        for frame in frames:
            _, _, _, event, payload = msgspec.json.decode(frame.payload)
            if event == "phx_reply" and payload["status"] != "ok":
                raise LoadTestFailed(f"a join was answered {payload}")
            if event == "phx_reply" and not self._joined:
                self._enter()
            elif event == "phx_close":
                self.go_on()

    def _enter(self) -> None:
        latency = self._churned.first if self._first else self._churned.later
        latency.record(time.monotonic_ns() - self._sent)
        self._known.add(bucket_of(self._topic))
        self._churned.topics += 1
        self._joined = True
        self.connection.sendall(framed(leave_text(self._topic, self._ref)))


def churn(port: int, topics: int, visitors: int, processes: list[ServerProcess], show: Show) -> Churned:
    """Join and leave so many topics, with so many clients at a time."""
    churned = Churned()
    names, known = iter([f"room:churn-{number}" for number in range(topics)]), set[int]()
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        crowd = [Visitor(port, names, known, churned) for _ in range(visitors)]
        for visitor in crowd:
            stack.callback(visitor.connection.close)
            selector.register(visitor.connection, selectors.EVENT_READ, visitor)
        meter = Meter(processes)
        meter.read()
        began, cpu = time.monotonic(), time.process_time()
        for visitor in crowd:
            visitor.go_on()
        while not all(visitor.done for visitor in crowd):
            ready = selector.select(ANSWER_LIMIT)
            if not ready:
                raise LoadTestFailed(f"no join or leave was answered for {ANSWER_LIMIT:g} s")
            for key, _ in ready:
                key.data.receive()
            if churned.topics % SHOWN_EVERY == 0:
                show(churned.topics, f"{churned.topics:,} topics")
        meter.read()
        churned.seconds = time.monotonic() - began
        churned.usage = meter.usage([time.process_time() - cpu], churned.seconds)
    return churned
