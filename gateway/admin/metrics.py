"""Every metric there is, with what it means and where it is read. `docs/metrics.md` is this table. Pure.

Names and units follow Prometheus's conventions. Nothing that clients choose, no topic, event or id, is ever a label.
"""

from collections.abc import Callable, Mapping
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from roost.shared.cluster import ClusterStatus, EngineState
from roost.shared.histogram import Measured
from roost.shared.measurements import BrokerMeasurements, NodeMeasurements, ShardMeasurements, Usage, WorkerMeasurements
from roost.shared.resharding import ReshardingPhase

Kind = Literal["gauge", "counter", "histogram", "info", "stateset"]
Value = float | Measured | Mapping[str, float] | Mapping[str, str]
"""A number, a histogram, numbers by a second label, or what an info or stateset tells."""
T = TypeVar("T")


class Metric(NamedTuple, Generic[T]):
    """One metric of a node, a worker, a shard or any process."""

    name: str
    """As it stands in the page; that of a counter ends with `_total`."""
    kind: Kind
    meaning: str
    read: Callable[[T], Value]
    label: str = ""
    """Of what `read` answers by name."""


def _resharding(broker: BrokerMeasurements) -> dict[str, float]:
    phase = broker.resharding.phase.value if broker.resharding is not None else "none"
    return {state: float(state == phase) for state in ("none", *(one.value for one in ReshardingPhase))}


NODE: Final[tuple[Metric[NodeMeasurements], ...]] = (
    Metric("roost_info", "info", "the version of Roost", lambda node: {"version": node.version}),
    Metric("roost_ready", "gauge", "1 if `/ready` answers 200", lambda node: float(node.ready)),
    Metric("roost_uptime_seconds", "gauge", "since the gateway started", lambda node: node.uptime),
    Metric(
        "roost_process_up",
        "gauge",
        "1 if a process answered in time, 0 if not: then it has no other metrics in this page",
        lambda node: processes_up(node),  # noqa: PLW0108 - it stands below
        "process",
    ),
    Metric(
        "roost_restarts_total",
        "counter",
        "children that died and were started again, by `worker` and `shard`",
        lambda node: {"worker": node.restarts} | ({"shard": node.broker.restarts} if node.broker else {}),
        "child",
    ),
)

BROKER: Final[tuple[Metric[BrokerMeasurements], ...]] = (
    Metric("roost_broker_uptime_seconds", "gauge", "since the broker started", lambda broker: broker.uptime),
    Metric("roost_epoch", "gauge", "the epoch in which workers are to publish", lambda broker: broker.epoch),
    Metric(
        "roost_resharding",
        "stateset",
        "how the last change of the number of shards stands; `none` if there was none",
        _resharding,
    ),
    Metric(
        "roost_resharding_seconds",
        "gauge",
        "how long the last change of the number of shards took, or has taken so far",
        lambda broker: broker.resharding.seconds if broker.resharding is not None else 0.0,
    ),
)

PROCESS: Final[tuple[Metric[Usage], ...]] = (
    Metric(
        "roost_process_cpu_seconds_total",
        "counter",
        "time on processors, the kernel's work for the process included",
        lambda usage: usage.cpu_seconds,
    ),
    Metric(
        "roost_process_resident_memory_bytes",
        "gauge",
        "memory that the process holds",
        lambda usage: usage.resident_bytes,
    ),
)

WORKER: Final[tuple[Metric[WorkerMeasurements], ...]] = (
    Metric("roost_connections", "gauge", "connected clients", lambda worker: worker.connections),
    Metric("roost_channels", "gauge", "channels that are joined or being joined", lambda worker: worker.channels),
    Metric(
        "roost_joins_total", "counter", "joins answered, by `ok` and `error`", lambda worker: worker.joins, "result"
    ),
    Metric(
        "roost_messages_received_total",
        "counter",
        "messages of clients, heartbeats included",
        lambda worker: worker.messages_received,
    ),
    Metric(
        "roost_received_bytes_total",
        "counter",
        "bytes read from clients after their handshake, frames' heads included",
        lambda worker: worker.bytes_received,
    ),
    Metric(
        "roost_messages_sent_total",
        "counter",
        "frames for clients, each once a client: of broadcasts, and replies and pushes",
        lambda worker: {"broadcast": worker.broadcasts_sent, "reply": worker.replies_sent},
        "kind",
    ),
    Metric(
        "roost_sent_bytes_total",
        "counter",
        "bytes of these frames, whether or not a slow client gets them in the end",
        lambda worker: worker.bytes_sent,
    ),
    Metric("roost_publishes_total", "counter", "publishes to the shards", lambda worker: worker.published),
    Metric(
        "roost_deliveries_total",
        "counter",
        "messages that subscribers got from shards: clients, and code in the worker",
        lambda worker: worker.deliveries,
    ),
    Metric(
        "roost_dropped_total",
        "counter",
        "frames that a client's connection did not take, by reason as in the guide to slow clients",
        lambda worker: worker.dropped,
        "reason",
    ),
    Metric(
        "roost_skipped_total",
        "counter",
        "messages that a shard offered and that were not for the subscriber: `duplicate`, `gone`, `early`",
        lambda worker: worker.skipped,
        "reason",
    ),
    Metric(
        "roost_connections_refused_total",
        "counter",
        "connections for which there was no room: `answered` with 503 or 429, or `cut`",
        lambda worker: {"answered": worker.refused, "cut": worker.cut},
        "how",
    ),
    Metric(
        "roost_too_often_total",
        "counter",
        "connects, joins and events that were refused because they came too often",
        lambda worker: worker.too_often,
    ),
    Metric("roost_slow_clients", "gauge", "clients for whom something waits", lambda worker: worker.slow_clients),
    Metric(
        "roost_worker_queue_bytes",
        "gauge",
        "bytes that wait: `clients` for slow clients, `publishes` until all have acknowledged them",
        lambda worker: {"clients": worker.waiting_bytes, "publishes": worker.log_bytes},
        "queue",
    ),
    Metric(
        "roost_waiting_publishes",
        "gauge",
        "publishes that wait because too much is not acknowledged",
        lambda worker: worker.waiting_publishes,
    ),
    Metric(
        "roost_latency_seconds",
        "histogram",
        "from a broadcast in any worker to its last write in this one, of broadcasts that are timed",
        lambda worker: worker.latency,
    ),
    Metric(
        "roost_write_seconds",
        "histogram",
        "what this worker took for all that came with a timed broadcast: at most so much lies between its first client "
        "and its last",
        lambda worker: worker.write_time,
    ),
    Metric(
        "roost_loop_lag_seconds",
        "histogram",
        "what the event loop took to answer, asked twice a second",
        lambda worker: worker.loop_lag,
    ),
)

SHARD: Final[tuple[Metric[ShardMeasurements], ...]] = (
    Metric(
        "roost_shard_open", "gauge", "1 if the shard takes publishes, 0 while it is rebuilt", lambda shard: shard.open
    ),
    Metric("roost_shard_topics", "gauge", "topics, the node's own included", lambda shard: shard.topics),
    Metric("roost_shard_subscribers", "gauge", "subscribers, the node's own included", lambda shard: shard.subscribers),
    Metric("roost_shard_publishes_total", "counter", "publishes handled", lambda shard: shard.published),
    Metric(
        "roost_shard_deliveries_total",
        "counter",
        "deliveries that these meant, by subscriber",
        lambda shard: shard.deliveries,
    ),
    Metric(
        "roost_shard_unencodable_total",
        "counter",
        "deliveries that could not be: binary broadcasts to clients that speak V1",
        lambda shard: shard.unencodable,
    ),
    Metric(
        "roost_shard_queued_publishes",
        "gauge",
        "publishes that wait: for workers to say what they have, or to acknowledge",
        lambda shard: shard.queued_publishes,
    ),
    Metric(
        "roost_shard_queue_bytes",
        "gauge",
        "bytes for workers that they have not acknowledged",
        lambda shard: shard.outbox_bytes,
    ),
    Metric("roost_shard_batch_publishes", "histogram", "publishes handled in one turn", lambda shard: shard.batches),
)


CLUSTER: Final[tuple[Metric[ClusterStatus], ...]] = (
    Metric(
        "roost_cluster_engine",
        "stateset",
        "how the way to the engine between nodes is; `deaf` if beats do not come back",
        lambda cluster: {state.value: float(state is cluster.state) for state in EngineState},
    ),
    Metric(
        "roost_cluster_round_trip_seconds",
        "gauge",
        "what the last beat took through the engine and back; 0 if none has come back",
        lambda cluster: cluster.round_trip or 0.0,
    ),
    Metric(
        "roost_cluster_reconnects_total",
        "counter",
        "connections to the engine after the first",
        lambda cluster: cluster.reconnects,
    ),
    Metric("roost_cluster_buckets", "gauge", "buckets of topics that are listened to", lambda cluster: cluster.buckets),
    Metric("roost_cluster_sent_total", "counter", "publishes that the engine has taken", lambda cluster: cluster.sent),
    Metric("roost_cluster_buffered", "gauge", "publishes that wait for the engine", lambda cluster: cluster.buffered),
    Metric("roost_cluster_buffered_bytes", "gauge", "what they take", lambda cluster: cluster.buffered_bytes),
    Metric(
        "roost_cluster_dropped_total",
        "counter",
        "publishes that found no room to wait while the engine was away: other nodes count them as lost",
        lambda cluster: cluster.dropped,
    ),
    Metric(
        "roost_cluster_unreadable_total",
        "counter",
        "messages from the engine that are of another version, or that nobody can be given",
        lambda cluster: cluster.unreadable,
    ),
    Metric(
        "roost_cluster_node_up",
        "gauge",
        "1 if another node is there, 0 if it has gone",
        lambda cluster: {row.node: float(row.up) for row in cluster.nodes},
        "node",
    ),
    Metric(
        "roost_cluster_received_total",
        "counter",
        "publishes that came from another node",
        lambda cluster: {row.node: row.received for row in cluster.nodes},
        "node",
    ),
    Metric(
        "roost_cluster_duplicates_total",
        "counter",
        "publishes of another node that came again and were dropped",
        lambda cluster: {row.node: row.duplicates for row in cluster.nodes},
        "node",
    ),
    Metric(
        "roost_cluster_lost_total",
        "counter",
        "publishes of another node that did not come",
        lambda cluster: {row.node: row.lost for row in cluster.nodes},
        "node",
    ),
    Metric(
        "roost_cluster_unknown_gaps_total",
        "counter",
        "how often something of another node may have been lost that nobody can count",
        lambda cluster: {row.node: row.unknown_gaps for row in cluster.nodes},
        "node",
    ),
)


def usages(node: NodeMeasurements) -> dict[str, Usage]:
    """What each process that answered uses, by its name."""
    used = {"gateway": node.usage} | {name: worker.usage for name, worker in node.workers.items()}
    if node.broker is not None:
        used["broker"] = node.broker.usage
        used |= {f"shard {shard.slot}": shard.usage for shard in node.broker.shards}
        if node.broker.bridge is not None:
            used["bridge"] = node.broker.bridge.usage
    return used


def processes_up(node: NodeMeasurements) -> dict[str, float]:
    """Who answered in time and who did not."""
    silent = (*node.silent, *(node.broker.silent if node.broker is not None else ()))
    return dict.fromkeys(usages(node), 1.0) | dict.fromkeys(silent, 0.0)
