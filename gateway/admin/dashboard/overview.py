"""What is to be seen of a node at one moment. Pure."""

import msgspec

from roost.shared.cluster import ClusterStatus
from roost.shared.resharding import ReshardingStatus


class Rates(msgspec.Struct, frozen=True):
    """What the workers did in a second, all together."""

    received: float
    """Messages of clients."""
    published: float
    delivered: float
    dropped: float
    joined: float
    bytes_received: float
    bytes_sent: float


class Latency(msgspec.Struct, frozen=True):
    """Seconds from a broadcast to its last write in a worker, of those that were timed."""

    median: float
    p99: float


class ProcessRow(msgspec.Struct, frozen=True):
    """A supervisor, or the bridge to the other nodes."""

    name: str
    up: bool
    cpu: float | None
    """Share of a core; None if it is not known yet."""
    memory: int
    """Bytes."""


class WorkerRow(msgspec.Struct, frozen=True):
    """A worker; one that did not answer has its name alone."""

    name: str
    up: bool
    cpu: float | None = None
    memory: int = 0
    connections: int = 0
    channels: int = 0
    delivered: float | None = None
    """In a second."""
    slow_clients: int = 0
    waiting_bytes: int = 0
    """For slow clients."""
    lag: float | None = None
    """Seconds that its loop took to answer, the longest since the last look, to the bound of its range."""


class ShardRow(msgspec.Struct, frozen=True):
    """A shard; one that did not answer has its place alone."""

    epoch: int
    number: int
    up: bool
    open: bool = False
    cpu: float | None = None
    memory: int = 0
    topics: int = 0
    subscribers: int = 0
    published: float | None = None
    """In a second."""
    delivered: float | None = None
    """Deliveries that this meant, in a second."""
    queued_bytes: int = 0


class Point(msgspec.Struct, frozen=True):
    """What charts show of one look."""

    time: float
    rates: Rates | None
    latency: Latency | None


class Overview(msgspec.Struct, frozen=True):
    """The node at one moment."""

    time: float
    """Unix time."""
    version: str
    uptime: float
    """Seconds since the gateway started."""
    why_not_ready: str
    """Empty if clients are taken."""
    silent: tuple[str, ...]
    """Who did not answer in time."""
    connections: int
    channels: int
    epoch: int | None
    """In which workers are to publish; None without a broker."""
    resharding: ReshardingStatus | None
    cluster: ClusterStatus | None
    """None where the node is the only one, or does not know."""
    rates: Rates | None
    """None at the first look."""
    latency: Latency | None
    """None if nothing was timed since the last look."""
    supervisors: tuple[ProcessRow, ...]
    workers: tuple[WorkerRow, ...]
    shards: tuple[ShardRow, ...]

    @property
    def point(self) -> Point:
        """What is kept of it."""
        return Point(self.time, self.rates, self.latency)
