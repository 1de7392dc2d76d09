"""What workers, shards and the broker measure, as the control socket answers it. Pure.

Counts are since the process started. None of it is counted by topic, event or client.
"""

import msgspec

from roost.shared.cluster import ClusterStatus
from roost.shared.histogram import Measured
from roost.shared.resharding import ReshardingStatus
from roost.shared.shard_map import Slot


class Usage(msgspec.Struct, frozen=True):
    """What one process uses of its machine."""

    cpu_seconds: float
    """Time on processors since it started, its threads and the kernel's work for it included."""
    resident_bytes: int
    """Memory that it holds; 0 where the system does not tell as Linux does."""


class WorkerMeasurements(msgspec.Struct, frozen=True):
    """What one gateway worker measures."""

    number: int
    """Never given again: counts of another number are another process's."""
    usage: Usage
    connections: int
    channels: int
    joins: dict[str, int]
    """Answered, by `ok` and `error`."""
    messages_received: int
    bytes_received: int
    """What was read from clients' connections after their handshake, frames' heads included."""
    broadcasts_sent: int
    """Frames of broadcasts, one for each client, those included that a slow client did not get in the end."""
    replies_sent: int
    """Frames of replies and pushes."""
    bytes_sent: int
    """Of both, frames' heads included."""
    published: int
    deliveries: int
    dropped: dict[str, int]
    """Not taken by a client's connection, by reason."""
    skipped: dict[str, int]
    """Offered by shards and not handed over, by reason."""
    refused: int
    """Connections that were answered 503 or 429 for want of room."""
    cut: int
    """Connections that were not even answered."""
    too_often: int
    """Connects, joins and events that were refused because they came too often."""
    waiting_bytes: int
    """What waits for slow clients."""
    slow_clients: int
    """Clients for whom something waits."""
    log_bytes: int
    """Publishes that are not yet handed over everywhere."""
    waiting_publishes: int
    """Publishes that wait for room in the log."""
    latency: Measured
    """Seconds from a publish to its last write here, of publishes that are timed."""
    write_time: Measured
    """Seconds from before the first write to after the last of the turn that brought a timed publish."""
    loop_lag: Measured
    """Seconds that the loop took to answer its watchdog."""


class ShardMeasurements(msgspec.Struct, frozen=True):
    """What one shard measures."""

    slot: Slot
    incarnation: int
    """Of the slot: counts of another one are another process's."""
    usage: Usage
    open: bool
    topics: int
    subscribers: int
    published: int
    deliveries: int
    unencodable: int
    queued_publishes: int
    """Publishes that wait because a worker leaves too much unacknowledged."""
    outbox_bytes: int
    """Batches that workers have not acknowledged."""
    batches: Measured
    """Publishes handled in one turn."""


class BridgeMeasurements(msgspec.Struct, frozen=True):
    """What the bridge to the other nodes measures."""

    number: int
    """On the bus, never given again: counts of another number are another process's."""
    usage: Usage
    status: ClusterStatus


class BrokerMeasurements(msgspec.Struct, frozen=True):
    """What the broker measures, and those of its shards that answered."""

    usage: Usage
    uptime: float
    epoch: int
    """In which workers are to publish."""
    shards: tuple[ShardMeasurements, ...]
    silent: tuple[str, ...]
    """Shards that did not answer in time."""
    restarts: int
    """Shards that were started again."""
    resharding: ReshardingStatus | None
    """The change of the number of shards that is under way, or the last one."""
    bridge: BridgeMeasurements | None = None
    """Where the node is one of several."""


class NodeMeasurements(msgspec.Struct, frozen=True):
    """What the whole node measures, as far as it answered."""

    version: str
    usage: Usage
    """Of the gateway, which asked."""
    uptime: float
    """Seconds since the gateway started."""
    ready: bool
    workers: dict[str, WorkerMeasurements]
    """By name, those that answered."""
    silent: tuple[str, ...]
    """Workers that did not answer in time, and the broker if it did not."""
    restarts: int
    """Workers that were started again."""
    broker: BrokerMeasurements | None
