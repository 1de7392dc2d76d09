"""Drives other servers with the same work as Roost, in turn, so that each has Roost before it and after it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from tests.load.machine import cores
from tests.load.orders import LoadTestFailed
from tests.load.peer import Peer, PeerServer
from tests.load.plan import Crowding, Work
from tests.load.ratios import Cell, Comparison, Measure, neighbours
from tests.load.result import Report, Result
from tests.load.scenarios import Setup, drive, join
from tests.load.scratch import NotInstalled, Scratch
from tests.load.server import Floor, Node, Server

KEPT_UP: Final = 0.95
"""The part of what was due that a server must deliver in time, for its CPU to be compared."""
PACE: Final = 50.0
WARMUP: Final = 0.5
FLOOR: Final = "the bare loop"
"""The name of its row."""
_A_SECOND: Final = "deliveries_per_second"


@dataclass(frozen=True)
class Trial:
    """One kind of work, and what servers are compared by."""

    key: str
    measures: tuple[tuple[str, Measure], ...]
    """Each with the key of the figure in the result."""
    run: Callable[[Setup, float], Report]
    fresh: bool = False
    """Whether Roost is started anew for each run, because memory tells of earlier ones."""
    pace: float = 0.0
    """Deliveries a second that are due, if it is not as fast as possible."""


def trials(clients: int, members: int) -> tuple[Trial, ...]:
    """All of them: so many clients join, so many are in the large room."""

    def room(work: Work) -> Callable[[Setup, float], Report]:
        return lambda setup, seconds: drive(setup, Crowding(1, members), _timed(work, seconds))

    def rooms(setup: Setup, seconds: float) -> Report:
        return drive(setup, Crowding(members // 2, 2), _timed(Work("rooms", window=1), seconds))

    def echo(setup: Setup, seconds: float) -> Report:
        return drive(setup, Crowding(min(200, members), 1), _timed(Work("echo", event="ping", window=1), seconds))

    def joining(setup: Setup, _seconds: float) -> Report:
        return join(setup, Crowding(1, clients), storm=False)

    joins = Measure("joins", f"joins, {clients:,}", "/s")
    memory = Measure("memory", "memory a client", "kB", more_is_better=False)
    cpu = Measure("paced", f"1 x {members:,}, paced {PACE:g}/s: CPU a delivery", "us", more_is_better=False)
    return (
        _speed("fanout", f"1 x {members:,}, 32 in flight", room(Work("fanout", window=32))),
        _speed("turns", f"1 x {members:,}, 1 in flight", room(Work("turns", window=1))),
        Trial("paced", (("cpu_a_delivery", cpu),), room(Work("paced", rate=PACE)), pace=PACE * members),
        _speed("rooms", f"{members // 2:,} x 2", rooms),
        _speed("echo", f"echo, {min(200, members)} at a time", echo),
        Trial("joins", (("joins_per_second", joins), ("memory_a_client", memory)), joining, fresh=True),
    )


def _speed(key: str, title: str, run: Callable[[Setup, float], Report]) -> Trial:
    return Trial(key, ((_A_SECOND, Measure(key, title, "/s")),), run)


def _timed(work: Work, seconds: float) -> Work:
    return Work(work.title, work.event, window=work.window, rate=work.rate, warmup=WARMUP, seconds=seconds, slices=10)


class Other(NamedTuple):
    """Who is measured between two runs of Roost."""

    name: str
    version: str
    start: Callable[[], AbstractContextManager[Server]]


def compare(
    setup: Setup, scratch: Scratch, peers: Sequence[Peer], tests: Sequence[Trial], seconds: float, *, floor: bool
) -> Comparison:
    """All trials with the bare loop, if it is wanted, and with all peers that can be had."""
    comparison = Comparison([measure for trial in tests for _, measure in trial.measures])
    others = [Other(FLOOR, "", Floor)] if floor else []
    for peer in peers:
        try:
            with setup.display.phase(f"installing {peer.name}", 1):
                version = peer.install(scratch)
        except NotInstalled as why:
            comparison.left_out[peer.name] = str(why)
        else:
            others.append(Other(peer.name, version, partial(PeerServer, peer, scratch)))
    for trial in tests:
        _Round(setup, trial, seconds, comparison).run(others)
    comparison.conditions.append(f"{cores()} cores, generator included; {seconds:g} s for each figure of speed.")
    return comparison


class _Round:
    """One trial: Roost, the first of the others, Roost, the next one, and so on."""

    def __init__(self, setup: Setup, trial: Trial, seconds: float, comparison: Comparison) -> None:
        self._setup = setup
        self._trial = trial
        self._seconds = seconds
        self._comparison = comparison

    def run(self, others: Sequence[Other]) -> None:
        """Raises LoadTestFailed if Roost does; if another does, it is left without a figure."""
        found: dict[str, Result | LoadTestFailed] = {}
        with nullcontext() if self._trial.fresh else self._node() as node:
            roost = [self._of_roost(node)]
            for other in others:
                found[other.name] = self._of_other(other)
                roost.append(self._of_roost(node))
        for at, other in enumerate(others, 1):
            result = found[other.name]
            row = self._comparison.row(other.name, other.version)
            for key, measure in self._trial.measures:
                row.cells[measure.key] = self._cell(result, key, neighbours([run.value(key) for run in roost], at))
            if isinstance(result, Result):
                row.remarks += [f"{self._trial.key}: {fault}" for fault in result.faults]
        for fault in dict.fromkeys(fault for result in roost for fault in result.faults):
            self._comparison.conditions.append(f"**Roost, {self._trial.key}: {fault}**")

    def _cell(self, result: Result | LoadTestFailed, key: str, roost: float | None) -> Cell:
        title = self._trial.key
        if isinstance(result, LoadTestFailed):
            return Cell(None, roost, f"{title}: {_in_a_line(result)}")
        if self._trial.pace:
            rate = result.value(_A_SECOND)
            if rate is not None and rate < KEPT_UP * self._trial.pace:
                due = f"{rate:,.0f} of {self._trial.pace:,.0f} deliveries a second"
                return Cell(None, roost, f"{title}: it did not keep up, with {due}")
        value = result.value(key)
        refused = next((note for note in result.notes if "the generator was the limit" in note), "")
        return Cell(value, roost, "" if value is not None else f"{title}: {refused or 'there is no figure'}")

    def _node(self) -> Node:
        return Node(self._setup.shards, self._setup.workers)

    def _of_roost(self, node: Server | None) -> Result:
        return self._measured(self._node() if node is None else nullcontext(node))

    def _of_other(self, other: Other) -> Result | LoadTestFailed:
        try:
            return self._measured(other.start())
        except LoadTestFailed as failure:
            return failure

    def _measured(self, server: AbstractContextManager[Server]) -> Result:
        return self._trial.run(self._setup.driving(server), self._seconds).results[0]


def _in_a_line(failure: LoadTestFailed) -> str:
    """The sentence, and the last that the server logged, if it did."""
    sentence, *logged = [line for line in str(failure).splitlines() if line.strip()]
    return f"{sentence} {logged[-1]}" if logged else sentence
