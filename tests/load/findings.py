"""From what the generator and /proc have counted to figures and faults. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from tests.load.histogram import Histogram
from tests.load.merge import merged
from tests.load.orders import Attended, Driven, Held, Joined, Obstructed, Visited
from tests.load.pairs import spread
from tests.load.result import Figure, Point, Result, Unit
from tests.load.usage import Usage

OF_IT: Final = " of it"
_MILLISECOND: Final = 1e6
_MEGABYTE: Final = 1e6
_LATENCIES: Final = ((50, "p50"), (99, "p99"), (99.9, "p99_9"), (100, "max"))


def add_joining(result: Result, joined: Joined, usage: Usage, prefix: str = "") -> None:
    """How joining went; `prefix` tells a second time from the first."""
    rate = joined.clients / joined.seconds
    key, label = prefix.replace(" ", "_"), prefix
    quotable = not usage.refusal()
    result.figures.append(
        Figure(f"{key}joins_per_second", f"{label}joins", rate if quotable else None, Unit.PER_SECOND, compared=True)
    )
    result.figures += _latencies(f"{key}join_latency", f"{label}connect to joined", joined.latency, quotable=quotable)
    result.figures.append(Figure(f"{key}join_failures", f"{label}attempts turned away", joined.failures, Unit.COUNT))
    _add_cpu(result, usage, joined.clients / usage.seconds, f"{key}join", f"{label}join")
    if joined.failures:
        result.notes.append(f"{joined.failures} attempts to join failed and were repeated: {joined.reason}")


def add_driving(
    result: Result, driven: Driven, usage: Usage, *, open_loop: bool, visited: Visited | None = None
) -> None:
    """How the traffic went; what the server did for visitors, it did with the same CPU."""
    quotable = not usage.refusal()
    rate = driven.deliveries / driven.seconds
    figures = result.figures
    figures.append(
        Figure("deliveries_per_second", "deliveries", rate if quotable else None, Unit.PER_SECOND, not open_loop)
    )
    figures.append(
        Figure(
            "messages_per_second", "messages", driven.messages / driven.seconds if quotable else None, Unit.PER_SECOND
        )
    )
    figures += _latencies("latency", "latency", driven.latency, quotable=quotable)
    figures += _latencies("last", "to the last member", driven.last, quotable=quotable, compared=True)
    figures += _latencies("spread", "first to last", driven.spread, quotable=quotable)
    to_visitors = visited.deliveries / visited.seconds if visited else 0.0
    _add_cpu(result, usage, rate + to_visitors, "delivery", "delivery")
    _add_losses(result, driven)
    result.latency = driven.latency
    result.timeline = [
        Point(
            piece.at,
            piece.deliveries / piece.seconds,
            piece.latency.percentile(50) / _MILLISECOND,
            piece.latency.percentile(99) / _MILLISECOND,
        )
        for piece in driven.slices
        if piece.seconds
    ]


def add_holding(result: Result, held: Held, usage: Usage) -> None:
    """How idling went."""
    result.figures += [
        Figure("heartbeats", "heartbeats", held.beats, Unit.COUNT),
        Figure("unanswered", "of them not answered", held.beats - held.answers, Unit.COUNT),
    ]
    result.figures += _latencies("heartbeat", "heartbeat", held.latency, quotable=not usage.refusal())
    total = 100 * sum(usage.by_kind().values()) / usage.seconds
    result.figures.append(Figure("idle_cpu", "server CPU while idle", total, Unit.PERCENT_OF_A_CORE, compared=True))
    for kind, cpu in usage.by_kind().items():
        share = 100 * cpu / usage.seconds
        result.figures.append(Figure(f"idle_cpu_{kind}", kind, share, Unit.PERCENT_OF_A_CORE, group=OF_IT))
    if held.beats > held.answers:
        result.faults.append(f"{held.beats - held.answers} heartbeats were not answered")
    _add_disconnected(result, held.disconnected)


def add_visits(result: Result, visited: Visited, usage: Usage) -> None:
    """How those fared who came and went."""
    quotable = not usage.refusal()
    leaves, deliveries = visited.leaves / visited.seconds, visited.deliveries / visited.seconds
    result.figures += [
        Figure("visits_per_second", "joins and leaves", leaves if quotable else None, Unit.PER_SECOND),
        Figure("visit_deliveries", "deliveries to visitors", deliveries if quotable else None, Unit.PER_SECOND),
    ]
    if visited.states:
        states, diffs = visited.states / visited.seconds, visited.diffs / visited.seconds
        result.figures += [
            Figure("visit_states", "presence_state to visitors", states if quotable else None, Unit.PER_SECOND),
            Figure("visit_diffs", "presence_diff to visitors", diffs if quotable else None, Unit.PER_SECOND),
        ]
    result.figures += _latencies("visit_join", "join under load", visited.join_latency, quotable=quotable)
    for count, what in (
        (visited.lost, "messages missed by visitors while they were joined"),
        (visited.duplicated, "messages that visitors received twice"),
        (visited.stray, "messages that visitors received after they had left"),
        (visited.unseen, "visitors who were not shown themselves among those present"),
        (visited.failures, f"visitors turned away ({visited.reason})"),
    ):
        if count:
            result.faults.append(f"{count} {what}")


def add_drift(result: Result, driven: Driven) -> None:
    """What has changed from the first tenth of the time to the last: that is how leaks and backlogs show."""
    tenth = max(1, len(driven.slices) // 10)
    for figure_key, pieces in (("early", driven.slices[:tenth]), ("late", driven.slices[-tenth:])):
        histogram = Histogram()
        for piece in pieces:
            histogram.add(piece.latency)
        value = histogram.percentile(99) / _MILLISECOND
        result.figures.append(Figure(f"{figure_key}_p99", figure_key, value, Unit.MILLISECONDS, group="p99"))
    if result.memory:
        tenth = max(1, len(result.memory) // 10)
        for figure_key, points in (("early", result.memory[:tenth]), ("late", result.memory[-tenth:])):
            value = sum(size for _, size in points) / len(points)
            result.figures.append(Figure(f"{figure_key}_memory", figure_key, value, Unit.MEGABYTES, group="memory"))


def add_attendance(result: Result, attended: Attended, usage: Usage, watchers: int, bytes_a_presence: float) -> None:
    """What presence costs the server and each of its clients."""
    quotable = not usage.refusal()
    told = watchers * attended.seconds
    figures = result.figures
    figures += [
        Figure("joins_per_second", "joins", attended.joins / attended.seconds, Unit.PER_SECOND),
        Figure("leaves_per_second", "leaves", attended.leaves / attended.seconds, Unit.PER_SECOND),
        Figure("diffs_a_client", "diffs a client", attended.diffs / told, Unit.PER_SECOND),
        Figure("diff_bytes_a_client", "diffs a client and second", attended.diff_bytes / told / 1000, Unit.KILOBYTES),
        Figure("state_bytes", "a presence_state", _mean_state(attended) / 1000, Unit.KILOBYTES),
        Figure("memory_a_presence", "memory a presence and worker", bytes_a_presence / 1000, Unit.KILOBYTES),
    ]
    figures += _latencies("state", "join to its whole state", attended.until_state, quotable=quotable)
    figures += _latencies("seen", "join to being seen", attended.until_seen, quotable=quotable)
    figures += _latencies("list", "list", attended.listing, quotable=quotable)
    for kind, cpu in usage.by_kind().items():
        figures.append(Figure(f"cpu_{kind}", kind, 100 * cpu / usage.seconds, Unit.PERCENT_OF_A_CORE, group="CPU"))
    figures.append(Figure("cpu_generator", "generator CPU", 100 * sum(usage.generator), Unit.PERCENT_OF_A_CORE))
    result.latency = attended.until_seen
    result.notes.append(f"{usage.saturated()}; other load {usage.other():.2f} cores")
    if refusal := usage.refusal():
        result.notes.append(refusal)
    result.other_load = max(result.other_load, usage.other())
    result.faults += sorted(set(attended.faults))


def add_obstruction(result: Result, pairs: Sequence[Obstructed], clients: int, memory_after: float) -> None:
    """What clients that do not read cost the others, and the memory of the workers."""
    without, stuck = [pair.without for pair in pairs], [pair.stuck for pair in pairs]
    _compare_p99(result, "p99", [run.latency for run in without], [run.latency for run in stuck])
    _compare_p99(result, "last_p99", [run.last for run in without], [run.last for run in stuck])
    most, grown = max(pair.memory for pair in pairs), max(pair.memory - pair.memory_before for pair in pairs)
    result.figures += [
        Figure(key, label, size / _MEGABYTE, Unit.MEGABYTES, group="memory of the workers")
        for key, label, size in (
            ("memory_before", "before they came", pairs[0].memory_before),
            ("memory_stuck", "at most", most),
            ("memory_after", "when they had gone", memory_after),
        )
    ]
    for_each = grown / clients / 1000
    result.figures.append(Figure("memory_a_stuck_client", "for each that does not read", for_each, Unit.KILOBYTES))
    for reason, frames in sum((pair.dropped for pair in pairs), Counter()).items():
        result.figures.append(Figure(f"dropped_{reason}", f"frames dropped: {reason}", frames, Unit.COUNT))
    _add_losses(result, merged([*without, *stuck]))


def _compare_p99(result: Result, key: str, without: Sequence[Histogram], stuck: Sequence[Histogram]) -> None:
    """The same figure of the runs without clients that do not read, and of those with them."""
    label = "p99" if key == "p99" else "p99 to the last member"
    spreads = [spread([run.percentile(99) / _MILLISECOND for run in runs]) for runs in (without, stuck)]
    for runs, word, found in zip(("without", "stuck"), ("without", "with"), spreads, strict=True):
        result.figures += [
            Figure(f"{key}_{runs}_{name}", name, value, Unit.MILLISECONDS, group=f"{label}, {word} them")
            for name, value in found._asdict().items()
        ]
    result.notes.append(f"{label}: the intervals {'overlap' if spreads[0].overlaps(spreads[1]) else 'do not overlap'}")


def _mean_state(attended: Attended) -> float:
    return attended.state_bytes / max(attended.until_state.count, 1)


def add_memory(result: Result, a_client: dict[str, float], in_all: int) -> None:
    """Memory, in bytes, beyond the processes' base and with it; nothing if it is not known which they are."""
    if not a_client:
        return
    total = sum(a_client.values()) / 1000
    result.figures.append(Figure("memory_a_client", "memory a client", total, Unit.KILOBYTES))
    result.figures += [
        Figure(f"memory_a_client_{kind}", kind, size / 1000, Unit.KILOBYTES, group=OF_IT)
        for kind, size in a_client.items()
        if len(a_client) > 1
    ]
    result.figures.append(Figure("memory", "memory in all", in_all / _MEGABYTE, Unit.MEGABYTES))


def _latencies(key: str, label: str, histogram: Histogram, *, quotable: bool, compared: bool = False) -> list[Figure]:
    if not histogram.count:
        return []
    return [
        Figure(
            f"{key}_{name}",
            name.replace("_", "."),
            histogram.percentile(percent) / _MILLISECOND if quotable else None,
            Unit.MILLISECONDS,
            compared=compared,
            group=label,
        )
        for percent, name in _LATENCIES
    ]


def _add_cpu(result: Result, usage: Usage, per_second: float, key: str, label: str) -> None:
    """CPU for each delivery or join, by kind of process."""
    scale = 1e6 / max(per_second * usage.seconds, 1.0)
    kinds, figures = usage.by_kind(), result.figures
    if kinds:
        total = sum(kinds.values()) * scale
        figures.append(Figure(f"cpu_a_{key}", f"server CPU a {label}", total, Unit.MICROSECONDS, compared=True))
    if len(kinds) > 1:
        figures += [
            Figure(f"cpu_a_{key}_{kind}", kind, cpu * scale, Unit.MICROSECONDS, group=OF_IT)
            for kind, cpu in kinds.items()
        ]
    generator = sum(usage.generator) * usage.seconds * scale
    busiest = 100 * max(usage.generator, default=0.0)
    figures.append(Figure(f"generator_a_{key}", f"generator CPU a {label}", generator, Unit.MICROSECONDS))
    figures.append(Figure(f"generator_share_{key}", " its busiest process", busiest, Unit.PERCENT_OF_A_CORE))
    result.notes.append(f"{label}: {usage.saturated()}; other load {usage.other():.2f} cores")
    result.other_load = max(result.other_load, usage.other())
    if refusal := usage.refusal():
        result.notes.append(f"{label}: {refusal}")


def _add_losses(result: Result, driven: Driven) -> None:
    for key, count, what in (
        ("lost", driven.lost, "deliveries were lost, or had not come when the wait for them was over"),
        ("duplicated", driven.duplicated, "deliveries came twice"),
        ("corrupt", driven.corrupt, "frames were not what was expected, or came out of turn"),
    ):
        result.figures.append(Figure(key, key, count, Unit.COUNT, group="faults"))
        if count:
            result.faults.append(f"{count} {what}")
    _add_disconnected(result, driven.disconnected)


def _add_disconnected(result: Result, clients: int) -> None:
    if clients:
        result.faults.append(f"{clients} clients were cut off by the server")
