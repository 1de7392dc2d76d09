"""What a node measures, made by hand."""

from roost.shared.cluster import ClusterStatus, EngineState, NodeRow
from roost.shared.histogram import SECONDS, SIZES, Histogram, Measured
from roost.shared.measurements import (
    BridgeMeasurements,
    BrokerMeasurements,
    NodeMeasurements,
    ShardMeasurements,
    Usage,
    WorkerMeasurements,
)
from roost.shared.resharding import ReshardingPhase, ReshardingStatus
from roost.shared.shard_map import Slot


def measured(bounds: tuple[float, ...], *values: float) -> Measured:
    """A histogram that has seen these values."""
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    return histogram.measured()


USAGE = Usage(1.5, 4096)
WORKER = WorkerMeasurements(
    number=1,
    usage=USAGE,
    connections=3,
    channels=4,
    joins={"ok": 5, "error": 6},
    messages_received=7,
    bytes_received=8,
    broadcasts_sent=9,
    replies_sent=10,
    bytes_sent=11,
    published=12,
    deliveries=13,
    dropped={"latest": 14, "closed": 15},
    skipped={"duplicate": 16, "gone": 17, "early": 18},
    refused=19,
    cut=20,
    too_often=21,
    waiting_bytes=21,
    slow_clients=22,
    log_bytes=23,
    waiting_publishes=24,
    latency=measured(SECONDS, 0.0004, 0.002, 20.0),
    write_time=measured(SECONDS, 0.0001),
    loop_lag=measured(SECONDS),
)
SHARD = ShardMeasurements(
    slot=Slot(1, 0),
    incarnation=1,
    usage=USAGE,
    open=True,
    topics=25,
    subscribers=26,
    published=27,
    deliveries=28,
    unencodable=29,
    queued_publishes=30,
    outbox_bytes=31,
    batches=measured(SIZES, 1, 3, 5000),
)
BROKER = BrokerMeasurements(
    usage=USAGE,
    uptime=32.0,
    epoch=1,
    shards=(SHARD,),
    silent=("shard 1/1",),
    restarts=33,
    resharding=ReshardingStatus(1, 1, 2, ReshardingPhase.DONE, seconds=0.5),
    bridge=BridgeMeasurements(
        50,
        USAGE,
        ClusterStatus(
            node="a",
            engine="nats://localhost",
            state=EngineState.DEAF,
            since=36.0,
            round_trip=None,
            buckets=41,
            sent=42,
            buffered=43,
            buffered_bytes=44,
            dropped=45,
            unreadable=46,
            reconnects=47,
            nodes=(NodeRow("b", "0.1.0", 5.0, received=46, duplicates=47, lost=48, unknown_gaps=49, up=False),),
        ),
    ),
)
NODE = NodeMeasurements(
    version="0.1.0",
    usage=USAGE,
    uptime=34.0,
    ready=True,
    workers={"worker 0": WORKER},
    silent=("worker 1",),
    restarts=35,
    broker=BROKER,
)
