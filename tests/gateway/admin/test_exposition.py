"""What a node measures, as Prometheus reads it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.samples import Sample

from roost.gateway.admin.exposition import write_page
from roost.gateway.admin.metrics import BROKER, CLUSTER, NODE, PROCESS, SHARD, WORKER, Metric
from roost.shared.measurements import NodeMeasurements
from tests.gateway.admin.node import NODE as MEASURED

ROOT = Path(__file__).parents[3]
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"
SCOPES: dict[str, tuple[Metric[Any], ...]] = {
    "": (*NODE, *BROKER, *CLUSTER),
    "process": PROCESS,
    "worker": WORKER,
    "shard": SHARD,
}
ALL = [metric for metrics in SCOPES.values() for metric in metrics]


def families(node: NodeMeasurements = MEASURED) -> list[Family]:
    page, content_type = write_page(node, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    return list(read_openmetrics(page.decode()))  # type: ignore[no-untyped-call]


def samples(node: NodeMeasurements = MEASURED) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {key(sample): sample.value for family in families(node) for sample in family.samples}


def key(sample: Sample) -> tuple[str, frozenset[tuple[str, str]]]:
    return sample.name, frozenset(sample.labels.items())


def test_both_formats_say_the_same() -> None:
    page, content_type = write_page(MEASURED, "text/plain")
    assert content_type.startswith("text/plain")
    plain = {key(sample): sample.value for family in read_text(page.decode()) for sample in family.samples}
    assert plain == samples()


def test_every_metric_is_in_the_page_and_nothing_else() -> None:
    names = {metric.name.removesuffix("_total").removesuffix("_info") for metric in ALL}
    assert {family.name for family in families()} == names
    assert len(names) == len(ALL)


def test_what_was_measured_is_what_is_read() -> None:
    found = samples()

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("roost_info", version="0.1.0") == 1
    assert value("roost_connections", worker="0") == 3
    assert value("roost_joins_total", worker="0", result="error") == 6
    assert value("roost_messages_sent_total", worker="0", kind="reply") == 10
    assert value("roost_sent_bytes_total", worker="0") == 11
    assert value("roost_dropped_total", worker="0", reason="closed") == 15
    assert value("roost_worker_queue_bytes", worker="0", queue="clients") == 21
    assert value("roost_shard_queue_bytes", shard="1/0") == 31
    assert value("roost_restarts_total", child="shard") == 33
    assert value("roost_restarts_total", child="worker") == 35
    assert value("roost_process_cpu_seconds_total", process="broker") == 1.5
    assert value("roost_resharding", roost_resharding="done") == 1
    assert value("roost_resharding", roost_resharding="preparing") == 0
    assert value("roost_cluster_engine", roost_cluster_engine="deaf") == 1
    assert value("roost_cluster_engine", roost_cluster_engine="connected") == 0
    assert value("roost_cluster_buffered_bytes") == 44
    assert value("roost_cluster_lost_total", node="b") == 48
    assert value("roost_cluster_node_up", node="b") == 0


def test_histograms_count_up() -> None:
    found = samples()
    buckets = {
        dict(labels)["le"]: value for (name, labels), value in found.items() if name == "roost_latency_seconds_bucket"
    }
    assert (buckets["0.0005"], buckets["0.001"], buckets["0.0025"], buckets["10.0"]) == (1, 1, 2, 2)
    assert buckets["+Inf"] == found["roost_latency_seconds_count", frozenset({("worker", "0")})] == 3
    assert found["roost_latency_seconds_sum", frozenset({("worker", "0")})] == pytest.approx(20.0024)


def test_who_is_silent_is_named() -> None:
    found = samples()
    up = {dict(labels)["process"]: value for (name, labels), value in found.items() if name == "roost_process_up"}
    assert up == {"gateway": 1, "broker": 1, "worker 0": 1, "worker 1": 0, "shard 1/0": 1, "shard 1/1": 0, "bridge": 1}


def test_without_a_broker_the_page_has_the_rest() -> None:
    alone = NodeMeasurements(
        version="1",
        usage=MEASURED.usage,
        uptime=1.0,
        ready=False,
        workers={},
        silent=("broker",),
        restarts=0,
        broker=None,
    )
    found = samples(alone)
    assert found["roost_process_up", frozenset({("process", "broker")})] == 0
    assert found["roost_ready", frozenset()] == 0
    assert not any(name.startswith("roost_shard") for name, _ in found)


def test_names_and_units_are_as_prometheus_wants_them() -> None:
    for metric in ALL:
        assert re.fullmatch(r"roost_[a-z_]+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert not re.search(r"_(ms|us|milliseconds|kilobytes|count|sum|bucket)(_total)?$", metric.name)
        assert len(metric.meaning) > 5
        assert not metric.meaning.endswith(".")


def test_the_guide_has_this_table() -> None:
    rows = re.findall(
        r"^\| `(roost_\w+)` \| (\w+) \| ([^|]*) \| (.*) \|$", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
    )
    assert rows == [
        (metric.name, metric.kind, ", ".join(f"`{name}`" for name in labels(scope, metric)), metric.meaning)
        for scope, metrics in SCOPES.items()
        for metric in metrics
    ]


def labels(scope: str, metric: Metric[Any]) -> list[str]:
    own = {"info": "version", "stateset": metric.name}.get(metric.kind, metric.label)
    return [name for name in (scope, own) if name]


def test_the_dashboard_asks_only_for_what_there_is() -> None:
    text = (ROOT / "docs" / "grafana.json").read_text()
    expressions = [target["expr"] for panel in json.loads(text)["panels"] for target in panel.get("targets", ())]
    served = {sample for sample, _ in samples()}
    asked = {name for expression in expressions for name in re.findall(r"roost_\w+", expression)} - {"roost_resharding"}
    assert len(asked) > 20
    assert asked <= served, asked - served
    known = {name for metrics in SCOPES.items() for metric in metrics[1] for name in labels(metrics[0], metric)} | {
        "le"
    }
    for expression in expressions:
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            assert set(grouped.split(", ")) <= known, expression
