"""The messages between a node's processes and the command line: asked, answered, told. Pure.

`envelopes` carries them; `docs/wire.md` lists them.
"""

import msgspec

from roost.shared.books import ShardBooks, WorkerBooks
from roost.shared.cluster import ClusterMessage, ClusterStatus
from roost.shared.config import LogSettings
from roost.shared.control_message import ControlMessage
from roost.shared.drain import Pace
from roost.shared.hottest import AskHottestTopics
from roost.shared.inspection import Inspection
from roost.shared.limits import Limits
from roost.shared.shard_map import ShardMap, Slot
from roost.shared.trace import TraceMessage

# To a child, once, as its first message


class StartShard(ControlMessage, frozen=True):
    """Be incarnation `incarnation` of a slot."""

    slot: Slot
    incarnation: int
    run_dir: str
    logs: LogSettings = LogSettings()


class Tls(msgspec.Struct, frozen=True):
    """How https is served."""

    certfile: str
    keyfile: str | None
    addresses: tuple[tuple[str, int], ...]
    """Host address and port of each listener."""


class StartWorker(ControlMessage, frozen=True):
    """Be worker `number` of the gateway and serve an application."""

    number: int
    run_dir: str
    app: str
    """`module:attribute`, as given on the command line."""
    addresses: tuple[tuple[str, int], ...]
    """Host address and port of each listener."""
    secrets: tuple[str, ...]
    """From which keys are derived: the first for what is made, all for what is checked."""
    public_host: str = "localhost"
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose headers are believed; `*` for whoever connects."""
    limits: Limits = Limits()
    tls: Tls | None = None
    """What https needs, if it is served."""
    logs: LogSettings = LogSettings()
    drained: bool = False
    """Whether clients are refused until `Admit`."""
    node: str = "localhost"
    """The node's name."""
    clustered: bool = False
    """Whether there may be other nodes."""


class EngineOptions(msgspec.Struct, frozen=True):
    """How the engine between the nodes of a cluster is reached."""

    urls: tuple[str, ...]
    """Of one kind; further ones are further servers of the same engine."""
    cluster: str = "roost"
    """Nodes of one name are one cluster; an engine may carry several."""
    credentials: str | None = None
    """File with what the engine wants to see: NATS credentials, or the seed of an nkey."""
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None


class StartBridge(ControlMessage, frozen=True):
    """Be the way to the other nodes."""

    worker: int
    """It is a peer of the bus as workers are."""
    run_dir: str
    node: str
    engine: EngineOptions
    buffer_bytes: int
    """Of publishes, while the engine is away."""
    logs: LogSettings = LogSettings()
    again: bool = False
    """Whether the node had a bridge before this one."""


# Told


class Ready(ControlMessage, frozen=True):
    """From a child: I do my work."""


class Failed(ControlMessage, frozen=True):
    """From a child: I cannot start, and starting me again will not help."""

    reason: str


class Stop(ControlMessage, frozen=True):
    """To a child: finish and exit. To a gateway: stop your workers. To a broker: stop the node.

    The fields say how a worker sends its clients away; to others they mean nothing.
    """

    pace: Pace = Pace(spread=0.5)
    closing: float = 1.0
    """Seconds that the last clients have to take the close frame and answer it."""
    limit: float = 1.5
    """Seconds after which the worker goes, even if not all that it published is through."""


class Drain(ControlMessage, frozen=True):
    """To a worker: send your clients away and refuse new ones, until `Admit`."""

    pace: Pace


class Admit(ControlMessage, frozen=True):
    """To a worker: let clients in, as at the beginning."""


class MapChanged(ControlMessage, frozen=True):
    """To gateways and their workers: the shard map as it now stands in its file."""

    map: ShardMap


class WorkerExited(ControlMessage, frozen=True):
    """From a gateway, to its other workers and by way of the broker to the shards: look whether this worker is dead."""

    worker: int


class Opened(ControlMessage, frozen=True):
    """From a shard: every worker has said HELLO, I take publishes."""

    slot: Slot
    incarnation: int


class Publishing(ControlMessage, frozen=True):
    """From a worker, and on to the broker: the epoch in which I publish. Said again after each `MapChanged`."""

    worker: int
    epoch: int


# Asked


class JoinNode(ControlMessage, frozen=True):
    """From a gateway, first: I belong to this node. Answered by the map."""

    pid: int


class TakeWorkerNumber(ControlMessage, frozen=True):
    """From a gateway. Answered by `NodePlace`, with a worker number that was never given before."""


class Ping(ControlMessage, frozen=True):
    """To a child, again and again: do you still work? Answered by True, from the loop that does the work."""


class AskStatus(ControlMessage, frozen=True):
    """Answered by `NodeStatus`, `ShardStatus`, `GatewayStatus` or `WorkerStatus`, by who is asked."""


class AskMeasurements(ControlMessage, frozen=True):
    """Answered by `ShardMeasurements`, `WorkerMeasurements` or, of the broker, `BrokerMeasurements`."""


class AskNodeMeasurements(ControlMessage, frozen=True):
    """To the broker, on to the gateway, which asks everybody. Answered by `NodeMeasurements`."""


class ScaleShards(ControlMessage, frozen=True):
    """To the broker: change the number of shards. Answered at once by the first `ReshardingStatus`."""

    shards: int


class AskResharding(ControlMessage, frozen=True):
    """To the broker. Answered by the `ReshardingStatus` of the change under way or the last one, if there was any."""


class LimitsChanged(ControlMessage, frozen=True):
    """From the gateway to its workers: the limits from now on."""

    limits: Limits


class AskConfig(ControlMessage, frozen=True):
    """To the broker, and on to the gateway. Answered by a list of `ConfigRow`: the settings that can be changed."""


class SetConfig(ControlMessage, frozen=True):
    """To the broker, and on to the gateway: change a setting. Answered as `AskConfig` is."""

    name: str
    value: str


class ScaleWorkers(ControlMessage, frozen=True):
    """To the broker, on to the gateway: change the number of workers. Answered at once by the first `WorkerChange`."""

    workers: int


class AskWorkerChange(ControlMessage, frozen=True):
    """To the broker, on to the gateway. Answered by the `WorkerChange` under way or the last one, if there was any."""


class DrainGateway(ControlMessage, frozen=True):
    """To the broker, on to the gateway: drain, or let clients in again. Answered at once by the first `DrainStatus`."""

    on: bool


class AskDrain(ControlMessage, frozen=True):
    """To the broker, on to the gateway. Answered by `DrainStatus`."""


Message = (
    StartShard
    | StartWorker
    | Ready
    | Failed
    | Stop
    | Drain
    | Admit
    | MapChanged
    | WorkerExited
    | Opened
    | Publishing
    | JoinNode
    | TakeWorkerNumber
    | Ping
    | AskStatus
    | AskMeasurements
    | AskNodeMeasurements
    | ScaleShards
    | AskResharding
    | LimitsChanged
    | AskConfig
    | SetConfig
    | ScaleWorkers
    | AskWorkerChange
    | DrainGateway
    | AskDrain
    | StartBridge
    | AskHottestTopics
    | Inspection
    | ClusterMessage
    | TraceMessage
)


# Answers


class ShardStatus(msgspec.Struct, frozen=True):
    """One shard process."""

    slot: Slot
    incarnation: int
    pid: int
    open: bool
    """Whether it takes publishes; a restarted shard waits for all workers first."""
    topics: int
    subscribers: int
    published: int
    """Publishes handled since this incarnation started."""
    unencodable: int
    """Deliveries that could not be: binary broadcasts to clients that speak V1."""
    books: ShardBooks
    """What became of those that could."""
    traces: int = 0
    """Traces that it takes part in."""


class WorkerStatus(msgspec.Struct, frozen=True):
    """One gateway worker."""

    number: int
    pid: int
    serving: bool
    """Whether it accepts connections."""
    draining: bool
    """Whether it sends its clients away, to be gone."""
    connections: int
    channels: int
    published: int
    books: WorkerBooks
    """What its subscribers were sent since the worker started."""
    turned_away: int = 0
    """Connections that were answered 503 or 429 for want of room, since the worker started."""
    cut: int = 0
    """Connections that were not even answered, since the worker started."""
    drained: bool = False
    """Whether clients are refused until `roost drain --off`."""
    traces: int = 0
    """Traces that it takes part in."""


class GatewayStatus(msgspec.Struct, frozen=True):
    """A gateway and those of its workers that answered."""

    pid: int
    app: str
    addresses: tuple[tuple[str, int], ...]
    workers: tuple[WorkerStatus, ...]
    silent: tuple[str, ...] = ()
    """Who did not answer in time."""
    https_addresses: tuple[tuple[str, int], ...] = ()
    admin_addresses: tuple[tuple[str, int], ...] = ()
    """Where metrics, health and the dashboard are."""


class NodeStatus(msgspec.Struct, frozen=True):
    """The whole node."""

    version: str
    pid: int
    uptime: float
    """Seconds since the broker started."""
    map: ShardMap
    shards: tuple[ShardStatus, ...]
    gateway: GatewayStatus | None
    silent: tuple[str, ...] = ()
    cluster: ClusterStatus | None = None
    """Where the node is one of several, what its bridge knows."""


class ConfigRow(msgspec.Struct, frozen=True):
    """A setting that can be changed in a running node."""

    name: str
    value: str
    meaning: str
