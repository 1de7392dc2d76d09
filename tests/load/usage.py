"""Who used how much of the machine while something was measured."""

import time
from dataclasses import dataclass, field
from typing import Final

from tests.load.machine import busy_seconds, cores, cpu_seconds, pss_bytes
from tests.load.server import ServerProcess

GENERATOR_LIMIT: Final = 0.9
"""Share of a core above which a generator process was itself the limit, and no figure is quoted."""
FULL: Final = 0.9
"""Share of a core from which a process of the server counts as saturated."""
FULL_MACHINE: Final = 0.95
HOLDS_CLIENTS: Final = ("shard", "worker", "server", "floor")
"""The kinds of process whose memory grows with clients."""


@dataclass
class Usage:
    """CPU of a stretch of time."""

    seconds: float = 0.0
    server: dict[ServerProcess, float] = field(default_factory=dict)
    """CPU seconds."""
    generator: list[float] = field(default_factory=list)
    """Shares of a core, a figure a process."""
    busy: float = 0.0
    """CPU seconds of everything on the machine."""

    def by_kind(self) -> dict[str, float]:
        """CPU seconds of all processes of each kind."""
        kinds: dict[str, float] = {}
        for process, cpu in self.server.items():
            kinds[process.kind] = kinds.get(process.kind, 0.0) + cpu
        return kinds

    def other(self) -> float:
        """Cores' worth of what has nothing to do with this test."""
        ours = sum(self.server.values()) + sum(self.generator) * self.seconds
        return max(0.0, (self.busy - ours) / self.seconds) if self.seconds else 0.0

    def refusal(self) -> str:
        """Why no figure of speed can be quoted; empty if it can."""
        most = max(self.generator, default=0.0)
        if most <= GENERATOR_LIMIT:
            return ""
        return f"the generator was the limit: it used {most:.2f} of a core, more than {GENERATOR_LIMIT}"

    def saturated(self) -> str:
        """What could not have gone faster."""
        if not self.server:
            return "what was saturated is not known"
        shares = {process.name: cpu / self.seconds for process, cpu in self.server.items()}
        busiest = max(shares, key=lambda name: shares[name])
        if shares[busiest] >= FULL:
            return f"{busiest} was saturated ({shares[busiest]:.2f} of a core)"
        if self.busy >= FULL_MACHINE * cores() * self.seconds:
            return f"all {cores()} cores were busy"
        return f"nothing was saturated; {busiest} used {shares[busiest]:.2f} of a core"


class Meter:
    """Reads the CPU clocks of a server and of the machine at the beginning and the end of a stretch."""

    def __init__(self, processes: list[ServerProcess], *edges: float) -> None:
        """`edges` are the times of the monotonic clock at which `tick` reads."""
        self._processes = processes
        self._edges = list(edges)
        self._readings: list[tuple[float, float, dict[ServerProcess, float]]] = []

    def tick(self, soon: float) -> None:
        """Read if an edge has come, or comes within so many seconds, in which nobody will call."""
        while self._edges and (wait := self._edges[0] - time.monotonic()) < soon:
            time.sleep(max(0.0, wait))
            self._edges.pop(0)
            self.read()

    def read(self) -> None:
        clocks = {process: cpu_seconds(process.pid) for process in self._processes}
        self._readings.append((time.monotonic(), busy_seconds(), clocks))

    def usage(self, generator_cpu: list[float], seconds: float) -> Usage:
        """Between the first reading and the last; the generator has measured itself, over its own stretch."""
        generator = [cpu / seconds for cpu in generator_cpu] if seconds else []
        began, busy_before, before = self._readings[0]
        ended, busy_after, after = self._readings[-1]
        server = {process: after[process] - before[process] for process in self._processes}
        return Usage(ended - began, server, generator, busy_after - busy_before)


def memory(processes: list[ServerProcess]) -> dict[str, int]:
    """Bytes of the processes that hold clients, by kind."""
    kinds: dict[str, int] = {}
    for process in processes:
        if process.kind in HOLDS_CLIENTS:
            kinds[process.kind] = kinds.get(process.kind, 0) + pss_bytes(process.pid)
    return kinds
