"""Time and chance of one simulated run: everything that happens is an event on one heap."""

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random

Action = Callable[[], object]


class Clock:
    """Events in the order of their time; the same seed gives the same run."""

    def __init__(self, seed: int, *, trace: bool) -> None:
        self.now = 0.0
        self.random = Random(seed)
        self.met: Counter[str] = Counter()
        """How often each kind of event happened: a run that never meets a situation proves nothing about it."""
        self.trace: list[str] | None = [] if trace else None
        self.calm = False
        """No more faults, and short delays."""
        self._events: list[tuple[float, int, Action]] = []
        self._numbers = count()

    def after(self, delay: float, action: Action) -> None:
        """Let something happen after so many seconds."""
        heapq.heappush(self._events, (self.now + delay, next(self._numbers), action))

    def run(self, seconds: float) -> None:
        """Let all happen that is due within so many seconds."""
        end = self.now + seconds
        events = self._events
        while events and events[0][0] <= end:
            self.now, _, action = heapq.heappop(events)
            action()
        self.now = end

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def delay(self, mean: float = 0.03) -> float:
        """A random delay with a long tail."""
        if self.calm:
            mean /= 4
        elif self.chance(0.08):
            mean *= 15
        return self.random.expovariate(1 / mean)

    def meet(self, kind: str, what: object = "") -> None:
        """Something worth counting has happened."""
        self.met[kind] += 1
        self.note(f"{kind} {what}")

    def note(self, what: str) -> None:
        """A line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.now:8.3f}  {what}")


class Process:
    """Something that lives, may be paused, and does nothing once it is dead."""

    def __init__(self, clock: Clock, name: str) -> None:
        self.clock = clock
        self.name = name
        self.running = True
        self.locked = False
        """Whether it holds its life lock: what the oracle says."""
        self._wakes_at = 0.0

    def do(self, action: Action) -> None:
        """Do it now, or when the pause is over, or never if dead."""
        if not self.running:
            return
        if self.clock.now < self._wakes_at:
            self.clock.after(self._wakes_at - self.clock.now, lambda: self.do(action))
        else:
            action()

    def later(self, delay: float, action: Action) -> None:
        self.clock.after(delay, lambda: self.do(action))

    def pause(self, seconds: float) -> None:
        self._wakes_at = max(self._wakes_at, self.clock.now + seconds)
        self.clock.meet("pause", f"{self.name} for {seconds:.2f} s")

    def die(self) -> None:
        """Killed: at this instant, wherever it is."""
        self.running = False
        self.locked = False
