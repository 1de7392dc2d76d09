"""Writes what a node measures as prometheus-client's families. No decisions here."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client import Metric as Family
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from roost.gateway.admin.metrics import BROKER, CLUSTER, NODE, PROCESS, SHARD, WORKER, Metric, usages
from roost.shared.histogram import Measured
from roost.shared.measurements import NodeMeasurements

_UNITS = ("seconds", "bytes")
T = TypeVar("T")


def write_page(node: NodeMeasurements, accept: str) -> tuple[bytes, str]:
    """The page in the format that the Accept header asks for, OpenMetrics or Prometheus's text; and its type."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry()
    registry.register(_Collected(node))
    return encode(registry), content_type


class _Collected(Collector):
    def __init__(self, node: NodeMeasurements) -> None:
        self._node = node

    def collect(self) -> Iterator[Family]:
        return families(self._node)


def families(node: NodeMeasurements) -> Iterator[Family]:
    """Every metric, with a sample for every process that answered."""
    brokers = () if node.broker is None else (node.broker,)
    workers = ((name.removeprefix("worker "), worker) for name, worker in node.workers.items())
    shards = ((str(shard.slot), shard) for broker in brokers for shard in broker.shards)
    yield from _families(NODE, "", [("", node)])
    yield from _families(BROKER, "", [("", broker) for broker in brokers])
    bridges = [broker.bridge for broker in brokers if broker.bridge is not None]
    if bridges:
        yield from _families(CLUSTER, "", [("", bridge.status) for bridge in bridges])
    yield from _families(PROCESS, "process", list(usages(node).items()))
    yield from _families(WORKER, "worker", list(workers))
    yield from _families(SHARD, "shard", list(shards))


def _families(metrics: Sequence[Metric[T]], label: str, measured: Sequence[tuple[str, T]]) -> Iterator[Family]:
    """`label` says which of several a sample is of; empty if there is only one."""
    for metric in metrics:
        family = _family(metric, [name for name in (label, metric.label) if name])
        for name, one in measured:
            _add(family, [name] if label else [], metric.read(one))
        yield family


def _family(metric: Metric[Any], labels: list[str]) -> Family:
    name = metric.name.removesuffix("_total").removesuffix("_info")
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    match metric.kind:
        case "counter":
            return CounterMetricFamily(name, metric.meaning, labels=labels, unit=unit)
        case "gauge":
            return GaugeMetricFamily(name, metric.meaning, labels=labels, unit=unit)
        case "histogram":
            return HistogramMetricFamily(name, metric.meaning, labels=labels, unit=unit)
        case "info":
            return InfoMetricFamily(name, metric.meaning, labels=labels)
        case "stateset":
            return StateSetMetricFamily(name, metric.meaning, labels=labels)


def _add(family: Family, labels: list[str], value: Any) -> None:
    match family, value:
        case HistogramMetricFamily(), Measured(bounds, counts, total):
            names = [*map(floatToGoString, bounds), "+Inf"]
            family.add_metric(labels, list(zip(names, accumulate(counts), strict=True)), total)
        case ((InfoMetricFamily() | StateSetMetricFamily()), dict()):
            family.add_metric(labels, value)
        case ((GaugeMetricFamily() | CounterMetricFamily()), dict()):
            for name, one in value.items():
                family.add_metric([*labels, name], one)
        case ((GaugeMetricFamily() | CounterMetricFamily()), _):
            family.add_metric(labels, value)
