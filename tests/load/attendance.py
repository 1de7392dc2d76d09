"""Presence under load: many present in one topic, others come and go, some watch, one asks for the list."""

import heapq
import select
import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from tests.applications.crowded import digest_of
from tests.load.guest import Guest, Heard
from tests.load.orders import Address, Attended, LoadTestFailed
from tests.load.usage import Meter, Usage

ANSWER_LIMIT: Final = 60.0
"""Seconds in which anything that is waited for happens."""
LIST_PERIOD: Final = 0.1
"""Seconds between two lists."""
POLL: Final = 0.005
FILLERS: Final = 16
"""Channels among which those who stay are shared out, so that each worker has some."""


class Attendance:
    """All clients of the test, in this process."""

    def __init__(self, address: Address, watchers: int, visitors: int, *, states: bool) -> None:
        self._epoll = select.epoll()
        self._guests: dict[int, Guest] = {}
        self._address = address
        self._looks = "yes" if states else "no"
        self.outcome = Attended()
        self._fillers = [self._connect() for _ in range(FILLERS)]
        self._watchers = [self._connect(keeps_all=number == 0) for number in range(watchers)]
        self._visitors = [self._connect() for _ in range(visitors)]
        self._asking = {guest.socket.fileno() for guest in self._fillers}
        self._watching = {guest.socket.fileno() for guest in self._watchers}
        self._picture: set[str] = set()
        self._asked: dict[str, int] = {}
        """When each visit was asked for, in ns, by its key."""
        self._joined_at: dict[int, int] = {}
        self._replies: dict[int, list[Any]] = {}

    def fill(self, present: int) -> None:
        """Have so many present who stay."""
        share = -(-present // FILLERS)
        for number, filler in enumerate(self._fillers):
            filler.join(looks="no")
            self._reply(filler)
            begin = number * share
            filler.push("fill", {"begin": begin, "end": min(begin + share, present)})
        for filler in self._fillers:
            self._reply(filler)
        self._wait(lambda: self._listed(self._fillers[0])["keys"] >= present, "all are present everywhere")

    def watch(self) -> None:
        """Have the watchers look."""
        for watcher in self._watchers:
            watcher.join()
        states = len(self._watchers)
        before = self.outcome.until_state.count
        self._wait(lambda: self.outcome.until_state.count - before >= states or self._states >= states, "states")
        self.outcome = Attended(faults=self.outcome.faults)

    _states = 0

    def run(self, meter: Meter, rate: float, stay: float, seconds: float) -> tuple[Attended, Usage]:
        """Let visitors come and go, so many a second each."""
        began, cpu = time.monotonic(), time.process_time()
        diary: list[tuple[float, int, Guest, bool]] = []
        order = count()
        idle = list(self._visitors)
        next_come, next_list = began, began
        prober = self._fillers[0]
        listing = False
        meter.read()
        while (now := time.monotonic()) < began + seconds:
            while next_come <= now and idle:
                visitor = idle.pop()
                self._come(visitor)
                heapq.heappush(diary, (now + stay, next(order), visitor, True))
                next_come += 1 / rate
            while diary and diary[0][0] <= now:
                _, _, visitor, leaves = heapq.heappop(diary)
                if leaves:
                    visitor.leave()
                    self.outcome.leaves += 1
                    heapq.heappush(diary, (now + stay / 4, next(order), visitor, False))
                else:
                    idle.append(visitor)
            if now >= next_list and not listing:
                prober.push("list", {})
                listing, next_list = True, now + LIST_PERIOD
            self._listen(POLL)
            for reply in self._replies.pop(prober.socket.fileno(), ()):
                self.outcome.listing.record(reply["response"]["nanoseconds"])
                listing = False
        meter.read()
        outcome = self.outcome
        outcome.seconds = time.monotonic() - began
        usage = meter.usage([time.process_time() - cpu], outcome.seconds)
        if listing:
            self._reply(prober)  # so that it is not taken for the answer to what is asked next
        for _, _, visitor, leaves in diary:
            if leaves:
                visitor.leave()
        return outcome, usage

    def check(self) -> None:
        """In the end the first watcher's picture is the server's list."""
        prober = self._fillers[0]

        def same() -> bool:
            prober.push("digest", {})
            told = self._reply(prober)["response"]
            return bool(told["digest"] == digest_of(sorted(self._picture)))

        try:
            self._wait(same, "the watcher's picture is the server's list")
        except LoadTestFailed as failure:
            self.outcome.faults.append(str(failure))

    def close(self) -> None:
        for guest in self._guests.values():
            guest.close()
        self._epoll.close()

    # Steps

    def _connect(self, *, keeps_all: bool = False) -> Guest:
        guest = Guest(self._address, keeps_all=keeps_all)
        self._guests[guest.socket.fileno()] = guest
        self._epoll.register(guest.socket, select.EPOLLIN)
        return guest

    def _come(self, visitor: Guest) -> None:
        self.outcome.joins += 1
        key = f"visit{time.monotonic_ns()}"
        self._asked[key] = self._joined_at[visitor.socket.fileno()] = time.monotonic_ns()
        visitor.join(user=key, looks=self._looks)

    def _listed(self, guest: Guest) -> Any:
        guest.push("list", {})
        return self._reply(guest)["response"]

    def _reply(self, guest: Guest) -> Any:
        """The next reply to a guest."""
        number = guest.socket.fileno()
        self._wait(lambda: bool(self._replies.get(number)), "a reply")
        return self._replies[number].pop(0)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + ANSWER_LIMIT
        while not condition():
            if time.monotonic() > deadline:
                raise LoadTestFailed(f"not within {ANSWER_LIMIT:g} s: {what}")
            self._listen(POLL)

    # Hearing

    def _listen(self, wait: float) -> None:
        for descriptor, _ in self._epoll.poll(wait):
            guest = self._guests[descriptor]
            for heard in guest.read():
                self._hear(descriptor, guest, heard)

    def _hear(self, descriptor: int, guest: Guest, heard: Heard) -> None:
        outcome = self.outcome
        if heard.kind == "phx_reply":
            if descriptor in self._asking:
                self._replies.setdefault(descriptor, []).append(heard.payload)
        elif heard.kind == "presence_state":
            self._states += 1
            outcome.state_bytes += heard.size
            if descriptor in self._joined_at:
                outcome.until_state.record(time.monotonic_ns() - self._joined_at[descriptor])
            if guest is self._watchers[0]:
                self._picture = _references(heard.payload)
        elif heard.kind == "presence_diff" and descriptor in self._watching:
            outcome.diffs += 1
            outcome.diff_bytes += heard.size
            if guest is self._watchers[0]:
                self._apply(heard.payload)

    def _apply(self, diff: Any) -> None:
        joins, leaves = _references(diff["joins"]), _references(diff["leaves"])
        if joins & self._picture:
            self.outcome.faults.append("a reference joined twice")
        if leaves - self._picture - joins:
            self.outcome.faults.append("a reference left that had not joined")
        self._picture = (self._picture | joins) - leaves
        now = time.monotonic_ns()
        for key in diff["joins"]:
            if key in self._asked:
                self.outcome.until_seen.record(now - self._asked.pop(key))


def _references(presences: Any) -> set[str]:
    return {meta["phx_ref"] for presence in presences.values() for meta in presence["metas"]}
