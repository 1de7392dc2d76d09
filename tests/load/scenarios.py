"""The scenarios: each starts a server, drives it, and does the same to the floor where that makes sense."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from threading import Timer
from typing import Any, Final, Self

from tests.load.attendance import Attendance
from tests.load.bench import SETTLE, Bench
from tests.load.display import Display
from tests.load.findings import (
    add_attendance,
    add_drift,
    add_driving,
    add_holding,
    add_joining,
    add_memory,
    add_obstruction,
    add_visits,
)
from tests.load.orders import LoadTestFailed, Obstructed
from tests.load.plan import Crowding, Fill, Obstruction, Visits, Work
from tests.load.result import Report, Result
from tests.load.seating import workers_for
from tests.load.server import Floor, Node, RunningServer, Server
from tests.load.stuck import StuckClients
from tests.load.usage import Meter, memory

LONGEST_ON_THE_FLOOR: Final = 10.0
"""Seconds for which the floor is driven at most: it does not change over hours."""
BROADCAST_RATE: Final = 0.5
"""A second, of the broadcasts to all idle clients."""
MEGABYTE: Final = 1e6
CROWDED: Final = "tests.applications.crowded:endpoint"
STUCK: Final = "tests.applications.stuck"
MOST_COMPLAINTS: Final = 5


@dataclass(frozen=True)
class Setup:
    """What is driven, and from where."""

    display: Display
    url: str | None = None
    run_dir: str | None = None
    shards: int | None = None
    workers: int | None = None
    processes: int | None = None
    floor: bool = True
    given: AbstractContextManager[Server] | None = None

    def driving(self, server: AbstractContextManager[Server]) -> Self:
        """The same for a server that is neither of the two, alone."""
        return replace(self, given=server, floor=False)

    def seating(self, clients: int) -> Self:
        """The same with as many workers as so many clients need, if nobody has said how many."""
        enough = workers_for(clients)
        return replace(self, workers=enough) if self.workers is None and enough > 1 else self

    def server(self) -> AbstractContextManager[Server]:
        """The server that is given, one that runs already, or a node of our own."""
        if self.given is not None:
            return self.given
        return RunningServer(self.url, self.run_dir) if self.url else Node(self.shards, self.workers)

    def bare(self, clients: int) -> Floor:
        """The bare loop, in as many processes as so many clients need."""
        return Floor(workers_for(clients))

    def settings(self) -> dict[str, Any]:
        """For the report."""
        return {"url": self.url, "shards": self.shards, "workers": self.workers}


def drive(setup: Setup, crowding: Crowding, work: Work) -> Report:
    """Rooms under traffic: fanout, rooms, echo."""
    crowding = replace(crowding, processes=setup.processes)
    results = [_driven(setup.server(), setup, crowding, work)]
    if setup.floor:
        results.append(_driven(Floor(), setup, crowding, work))
    return Report(work.title, _settings(setup, crowding, work), results)


def floor_alone(setup: Setup, crowding: Crowding, work: Work) -> Report:
    """The bare loop and nothing else."""
    return Report("floor", _settings(setup, crowding, work), [_driven(Floor(), setup, crowding, work)])


def join(setup: Setup, crowding: Crowding, *, storm: bool) -> Report:
    """All clients connect and join; then, in a storm, all of them again at once."""
    crowding, setup = replace(crowding, processes=setup.processes), setup.seating(crowding.clients)
    results = [_joined(setup.server(), setup, crowding, storm=storm)]
    if setup.floor:
        results.append(_joined(setup.bare(crowding.clients), setup, crowding, storm=False))
    return Report("join", _settings(setup, crowding), results)


def idle(setup: Setup, crowding: Crowding, *, seconds: float, period: float, broadcasts: int) -> Report:
    """Clients that only send heartbeats; at the end, a few broadcasts to all of them."""
    crowding, setup = replace(crowding, processes=setup.processes), setup.seating(crowding.clients)

    def held(server: AbstractContextManager[Server], seconds: float) -> Result:
        return _held(server, setup, crowding, seconds=seconds, period=period, broadcasts=broadcasts)

    results = [held(setup.server(), seconds)]
    if setup.floor:
        results.append(held(setup.bare(crowding.clients), min(seconds, LONGEST_ON_THE_FLOOR)))
    return Report("idle", {**_settings(setup, crowding), "seconds": seconds, "heartbeat_period": period}, results)


def come_and_go(setup: Setup, crowding: Crowding, work: Work, visits: Visits) -> Report:
    """Rooms under traffic in which some come and go all the time: churn, mixed, soak."""
    crowding = replace(crowding, processes=setup.processes)
    result = Result("")
    with _bench(setup.server(), setup, crowding, result, visitor_processes=1) as bench:
        bench.join()
        driven, visited, usage = bench.drive(work, visits)
        assert visited is not None
        add_driving(result, driven, usage, open_loop=True, visited=visited)
        add_visits(result, visited, usage)
        _add_memory_points(result, bench, over="seconds")
        add_drift(result, driven)
    results = [result]
    if setup.floor:
        short = replace(work, seconds=min(work.seconds, LONGEST_ON_THE_FLOOR), day=False)
        results.append(_driven(Floor(), setup, crowding, short))
        results[-1].notes.append("the floor has the same messages, but no visitors")
    settings = {**_settings(setup, crowding, work), "visitors": visits.visitors, "stay": visits.stay}
    return Report(work.title, settings, results)


def presence(
    setup: Setup, *, present: int, watchers: int, rate: float, stay: float, seconds: float, states: bool
) -> Report:
    """Many present in one topic, while others come and go."""
    if setup.url:
        raise LoadTestFailed("presence is measured on a node of our own, which serves an application for it")
    result = Result("")
    with Node(setup.shards, setup.workers, CROWDED) as node, setup.display.phase("presence", 1.0):
        result.server = node.name
        processes = node.processes()
        before = memory(processes)
        attendance = Attendance(node.address, watchers, round(rate * stay * 2) + 1, states=states)
        try:
            attendance.fill(present)
            time.sleep(SETTLE)
            workers = sum(process.kind == "worker" for process in processes)
            after = memory(processes)
            grown = after["worker"] - before["worker"]
            result.memory_over = "presences"
            result.memory = [
                (0, sum(before.values()) / MEGABYTE),
                (present, sum(after.values()) / MEGABYTE),
            ]
            attendance.watch()
            attended, usage = attendance.run(Meter(processes), rate, stay, seconds)
            attendance.check()
            add_attendance(result, attended, usage, watchers, grown / present / workers)
        finally:
            attendance.close()
        result.faults += [f"the server logged: {line}" for line in node.complaints()[:MOST_COMPLAINTS]]
    settings = {**setup.settings(), "present": present, "watchers": watchers, "rate": rate, "stay": stay}
    settings |= {"seconds": seconds, "states": states}
    return Report("presence", settings, [result])


def stuck(setup: Setup, crowding: Crowding, work: Work, obstruction: Obstruction) -> Report:
    """Rooms under traffic, in turns without and with members that never read."""
    if setup.url:
        raise LoadTestFailed("clients that do not read meet a node of our own, which serves an application for it")
    crowding, result = replace(crowding, processes=setup.processes), Result("")
    node = Node(setup.shards, setup.workers, f"{STUCK}:{obstruction.policy}")
    with _bench(node, setup, crowding, result) as bench:
        bench.join()
        pairs = [_obstructed(bench, node, work, obstruction) for _ in range(obstruction.pairs)]
        time.sleep(SETTLE)
        add_obstruction(result, pairs, obstruction.clients, memory(node.processes())["worker"])
    settings = {**_settings(setup, crowding, work), "stuck": obstruction.clients, "policy": obstruction.policy}
    return Report("stuck", {**settings, "fill": obstruction.fill.value, "pairs": obstruction.pairs}, [result])


def _obstructed(bench: Bench, node: Node, work: Work, obstruction: Obstruction) -> Obstructed:
    """A run without them, and one with them. Raises LoadTestFailed if the generator was the limit."""
    without, _, usage_without = bench.drive(work)
    processes = node.processes()
    before, dropped_before = memory(processes)["worker"], node.dropped()
    with StuckClients(node, obstruction.clients) as clients:
        if obstruction.fill is Fill.BEFORE:
            clients.fill()
        elif obstruction.fill is Fill.MEANWHILE:
            Timer(work.warmup + work.seconds / 2, clients.fill).start()
        full = memory(processes)["worker"]
        driven, _, usage = bench.drive(work)
        most = max(full, memory(processes)["worker"])
        dropped = node.dropped() - dropped_before
    time.sleep(SETTLE)
    for refusal in filter(None, (usage_without.refusal(), usage.refusal())):
        raise LoadTestFailed(refusal)
    return Obstructed(without, driven, before, most, dropped)


def _joined(server: AbstractContextManager[Server], setup: Setup, crowding: Crowding, *, storm: bool) -> Result:
    result = Result("")
    with _bench(server, setup, crowding, result) as bench:
        add_joining(result, *bench.join())
        _look_at_memory(result, bench)
        if storm:
            bench.drain()
            add_joining(result, *bench.join(), prefix="storm ")
    return result


def _held(
    server: AbstractContextManager[Server],
    setup: Setup,
    crowding: Crowding,
    *,
    seconds: float,
    period: float,
    broadcasts: int,
) -> Result:
    result = Result("")
    work = Work("broadcasts to all", rate=BROADCAST_RATE, warmup=0.0, seconds=broadcasts / BROADCAST_RATE, slices=1)
    with _bench(server, setup, crowding, result) as bench:
        add_joining(result, *bench.join())
        _look_at_memory(result, bench)
        add_holding(result, *bench.hold(seconds, period))
        if broadcasts:
            driven, _, usage = bench.drive(work)
            add_driving(result, driven, usage, open_loop=True)
    return result


def _driven(server: AbstractContextManager[Server], setup: Setup, crowding: Crowding, work: Work) -> Result:
    result = Result("")
    with _bench(server, setup, crowding, result) as bench:
        bench.join()
        driven, _, usage = bench.drive(work)
        add_driving(result, driven, usage, open_loop=work.rate > 0)
    return result


@contextmanager
def _bench(
    server: AbstractContextManager[Server], setup: Setup, crowding: Crowding, result: Result, visitor_processes: int = 0
) -> Iterator[Bench]:
    """A server that runs and a crowd before it; what the server complains about becomes a fault."""
    with server as running:
        result.server = running.name
        try:
            with Bench(running, crowding, setup.display, visitor_processes) as bench:
                yield bench
        except LoadTestFailed as failure:
            complaints = "\n".join(running.complaints()[-MOST_COMPLAINTS:])
            raise LoadTestFailed(f"{failure}\n{complaints}".rstrip()) from None
        result.faults += [f"the server logged: {line}" for line in running.complaints()[:MOST_COMPLAINTS]]


def _look_at_memory(result: Result, bench: Bench) -> None:
    """Once all have joined."""
    add_memory(result, bench.memory_a_client(), bench.memory_points[-1].size)
    _add_memory_points(result, bench)


def _add_memory_points(result: Result, bench: Bench, over: str = "clients") -> None:
    result.memory_over = over
    result.memory = [
        (point.clients if over == "clients" else point.at, point.size / MEGABYTE) for point in bench.memory_points
    ]


def _settings(setup: Setup, crowding: Crowding, work: Work | None = None) -> dict[str, Any]:
    settings: dict[str, Any] = {**setup.settings(), "rooms": crowding.rooms, "members": crowding.members}
    if work:
        settings |= {
            "event": work.event,
            "payload_bytes": work.payload_bytes,
            "in_flight": work.window * crowding.rooms or None,
            "rate": work.rate or None,
            "warmup": work.warmup,
            "seconds": work.seconds,
        }
    return settings
