"""What was measured of a cluster, as figures."""

from typing import Final

from tests.load.cluster.audience import Heard
from tests.load.cluster.churn import Churned
from tests.load.cluster.nodes import OTHER, OWN
from tests.load.histogram import Histogram
from tests.load.result import Figure, Result, Unit
from tests.load.usage import Usage

KINDS: Final = ("worker", "shard", "bridge")
MICROSECONDS: Final = 1e6
MILLISECONDS: Final = 1e6
"""Nanoseconds of one."""


def add_heard(result: Result, heard: Heard, others: int) -> None:
    """What a publish costs, and how long it takes."""
    published, seconds = heard.published, heard.usage.seconds
    result.figures.append(
        Figure("publishes_per_second", "publishes", published / seconds, Unit.PER_SECOND, compared=True)
    )
    for kind, share in _by_kind(heard.usage, others):
        _cost(result, kind, share, published, "publish")
    total = sum(heard.usage.by_kind().values())
    _cost(result, "all nodes and engine", total, published, "publish")
    _latency(result, "on the node that publishes", "own", heard.own, compared=True)
    _latency(result, "on the others", "others", heard.others)
    result.figures += [
        Figure("lost", "lost", heard.lost, Unit.COUNT),
        Figure("duplicated", "duplicated", heard.duplicated, Unit.COUNT),
        Figure("generator", "generator", 100 * heard.usage.generator[0], Unit.PERCENT_OF_A_CORE),
        Figure("other_programs", "other programs", 100 * heard.usage.other(), Unit.PERCENT_OF_A_CORE),
    ]
    result.latency.add(heard.own)


def add_most(result: Result, heard: Heard) -> None:
    """What was full, and what a bridge would carry that had a core for itself."""
    usage = heard.usage
    for process, cpu in usage.server.items():
        result.figures.append(Figure(process.name, process.name, 100 * cpu / usage.seconds, Unit.PERCENT_OF_A_CORE))
    result.notes.append(usage.refusal() or usage.saturated())
    bridges = [cpu for process, cpu in usage.server.items() if process.kind.endswith("bridge")]
    if bridges:
        carried = heard.published / max(bridges)
        result.figures.append(Figure("a_bridge_carries", "a core of the busiest bridge", carried, Unit.PER_SECOND))


def add_churn(result: Result, churned: Churned, buckets: int) -> None:
    """What topics cost that come and go."""
    result.figures += [
        Figure("topics_per_second", "topics joined and left", churned.topics / churned.seconds, Unit.PER_SECOND),
        Figure("buckets", "buckets listened to", buckets, Unit.COUNT),
    ]
    _latency(result, "first join of a bucket", "first_join", churned.first)
    _latency(result, "later joins", "later_join", churned.later)
    cpu = churned.usage.by_kind()
    for kind in KINDS:
        _cost(result, kind, cpu[OWN + kind], churned.topics, "topic")
    _cost(result, "nats-server", cpu["engine"], churned.topics, "topic")
    bridge = 100 * cpu[OWN + "bridge"] / churned.seconds
    result.figures.append(Figure("bridge", "bridge", bridge, Unit.PERCENT_OF_A_CORE))
    result.notes.append(churned.usage.refusal() or churned.usage.saturated())


def _by_kind(usage: Usage, others: int) -> list[tuple[str, float]]:
    """CPU seconds: of the node that publishes, of one of the others, of the engine."""
    cpu = usage.by_kind()
    own = [(kind, cpu[OWN + kind]) for kind in KINDS if OWN + kind in cpu]
    if not others:
        return own
    there = [(f"another node's {kind}", cpu[OTHER + kind] / others) for kind in KINDS]
    return [*own, *there, ("nats-server", cpu["engine"])]


def _cost(result: Result, who: str, cpu: float, events: int, event: str) -> None:
    key = "cpu_" + who.replace("'s", "").replace(" ", "_").replace("-", "_")
    value = cpu / events * MICROSECONDS if events else None
    result.figures.append(Figure(key, f"CPU a {event}, {who}", value, Unit.MICROSECONDS, compared=True))


def _latency(result: Result, label: str, key: str, latency: Histogram, *, compared: bool = False) -> None:
    if latency.count:
        for percent in (50, 99):
            value = latency.percentile(percent) / MILLISECONDS
            figure = Figure(f"{key}_p{percent}", f"{label}, p{percent}", value, Unit.MILLISECONDS, compared)
            result.figures.append(figure)
