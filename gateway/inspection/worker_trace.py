"""The traces that one worker takes part in. While none is on, nobody is told anything, and nothing is kept."""

import asyncio
from typing import Final

from roost.gateway.bus.uplink import Uplink
from roost.gateway.clients.runtime import Runtime
from roost.gateway.inspection.tracer import Tracer
from roost.shared.trace import FollowTrace, TraceNotes
from roost.shared.trace_recorder import Recordings

LOOK_PERIOD: Final = 0.5
"""Seconds between two looks whether somebody still asks."""


class WorkerTrace:
    """Begins and ends them."""

    def __init__(self, runtime: Runtime, uplink: Uplink) -> None:
        self._runtime = runtime
        self._uplink = uplink
        self._recordings = Recordings(f"worker {runtime.worker}")
        self._looking: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """How many traces are on."""
        return len(self._recordings.on)

    def follow(self, question: FollowTrace) -> TraceNotes:
        """What was noted since; the first question of a trace begins it."""
        notes = self._recordings.follow(question, self._runtime.now())
        self._switch()
        return notes

    def end(self, number: int) -> None:
        """A trace is over."""
        self._recordings.end(number)
        self._switch()

    def _switch(self) -> None:
        on = bool(self._recordings.on)
        if on is (self._runtime.tracer is not None):
            return
        self._runtime.tracer = Tracer(self._runtime, self._uplink, self._recordings) if on else None
        self._uplink.trace(self._runtime.tracer)
        if on:
            self._looking = self._runtime.call_later(LOOK_PERIOD, self._look)
        elif self._looking is not None:
            self._looking.cancel()

    def _look(self) -> None:
        self._looking = self._runtime.call_later(LOOK_PERIOD, self._look)
        self._recordings.end_unasked(self._runtime.now())
        self._switch()
