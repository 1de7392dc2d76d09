"""The traces of a node: who asked for which, and until when.

Shards and the bridge are asked here, workers by way of their gateway.
"""

import asyncio
import time
from collections.abc import Iterable
from itertools import count
from typing import Any, Final

import msgspec

from roost.broker.bridge.supervision import BRIDGE, KeptBridge
from roost.broker.shards import Shards
from roost.shared.link import Link, LinkClosed, Refused
from roost.shared.trace import (
    ANSWER_LIMIT,
    ASKER_LIMIT,
    MAX_LIMIT,
    MAX_SECONDS,
    MAX_TRACES,
    EndTrace,
    FollowedTrace,
    FollowTrace,
    PollTrace,
    StartTrace,
    StopTrace,
    TraceNotes,
    TracePage,
    TraceStarted,
)

GATEWAY_LIMIT: Final = 2 * ANSWER_LIMIT
"""Seconds that a gateway has to answer, with those of its workers named that did not answer it."""


class Trace:
    """One trace that is on."""

    def __init__(self, asker: Link | None, question: FollowTrace, ends: float) -> None:
        self.asker = asker
        self.question = question
        self.ends = ends
        """By the loop's clock."""
        self.unasked: asyncio.TimerHandle | None = None


class Traces:
    """All traces that are on. One ends when it is stopped, when its asker is gone, and when its time is up."""

    def __init__(self, shards: Shards, gateways: Iterable[Link], bridge: KeptBridge | None) -> None:
        """`gateways` is looked at anew each time."""
        self._shards = shards
        self._gateways = gateways
        self._bridge = bridge
        self._on: dict[int, Trace] = {}
        # From the time, so that no number comes again in a process that survives the broker.
        self._numbers = count(time.time_ns() // 1_000_000)

    async def answer(
        self, question: StartTrace | PollTrace | StopTrace, asker: Link | None = None
    ) -> TraceStarted | TracePage | bool:
        """What whoever asks for a trace is answered; nobody has a link who asks from another node. Raises Refused."""
        match question:
            case StartTrace():
                return await self.start(asker, question)
            case PollTrace():
                return await self.poll(question)
            case StopTrace(number):
                self.stop(number)
                return True

    async def start(self, asker: Link | None, start: StartTrace) -> TraceStarted:
        """Begin a trace in every process. Raises Refused."""
        if not (1 <= start.limit <= MAX_LIMIT and 0 < start.seconds <= MAX_SECONDS):
            raise Refused(f"a trace shows 1 to {MAX_LIMIT:,} matches in at most {MAX_SECONDS:g} s")
        if len(self._on) >= MAX_TRACES:
            raise Refused(f"{MAX_TRACES} traces are on already: wait until one is over")
        number = next(self._numbers)
        ends = asyncio.get_running_loop().time() + start.seconds
        trace = self._on[number] = Trace(asker, FollowTrace(number, start.filter, start.limit), ends)
        self._await_poll(trace)
        _, silent = await self._follow(trace.question)
        return TraceStarted(number, time.time_ns() - time.monotonic_ns(), silent)

    async def poll(self, poll: PollTrace) -> TracePage:
        """What was seen since. Raises Refused if the trace is over."""
        trace = self._on.get(poll.number)
        if trace is None:
            raise Refused(
                f"there is no trace {poll.number}, or no more: one ends {ASKER_LIMIT:g} s after its last poll"
            )
        self._await_poll(trace)
        over = asyncio.get_running_loop().time() >= trace.ends
        processes, silent = await self._follow(msgspec.structs.replace(trace.question, got=poll.got))
        if over:
            self.stop(poll.number)
        return TracePage(processes, silent, over)

    def stop(self, number: int) -> None:
        """End a trace in every process, if it is on."""
        trace = self._on.pop(number, None)
        if trace is None:
            return
        if trace.unasked is not None:
            trace.unasked.cancel()
        self._shards.tell_all(EndTrace(number))
        for gateway in self._gateways:
            gateway.tell(EndTrace(number))
        if self._bridge is not None:
            self._bridge.tell(EndTrace(number))

    def left(self, asker: Link) -> None:
        """The link to whoever asked is gone, and with it its traces."""
        for number in [number for number, trace in self._on.items() if trace.asker is asker]:
            self.stop(number)

    def _await_poll(self, trace: Trace) -> None:
        if trace.unasked is not None:
            trace.unasked.cancel()
        trace.unasked = asyncio.get_running_loop().call_later(ASKER_LIMIT, self.stop, trace.question.number)

    async def _follow(self, question: FollowTrace) -> tuple[tuple[TraceNotes, ...], tuple[str, ...]]:
        """What all processes have seen, and who did not answer."""
        others = asyncio.gather(
            self._ask_bridge(question), *(_ask_gateway(gateway, question) for gateway in self._gateways)
        )
        answers, silent = await self._shards.ask_all(question, TraceNotes, ANSWER_LIMIT)
        followed = await others
        more = (msgspec.convert(one, TraceNotes) for told in followed for one in told.processes)
        return (*answers, *more), (*silent, *(name for told in followed for name in told.silent))

    async def _ask_bridge(self, question: FollowTrace) -> FollowedTrace:
        if self._bridge is None:
            return FollowedTrace(())
        try:
            return FollowedTrace((await self._bridge.ask(question, Any, ANSWER_LIMIT),))
        except Refused:
            return FollowedTrace((), (BRIDGE,))


async def _ask_gateway(gateway: Link, question: FollowTrace) -> FollowedTrace:
    try:
        return await gateway.ask(question, FollowedTrace, GATEWAY_LIMIT)
    except (LinkClosed, TimeoutError):
        return FollowedTrace((), ("gateway",))
