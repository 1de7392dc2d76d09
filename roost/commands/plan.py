"""How many nodes, workers and shards a load needs, by what was measured of each part; what is full first. Pure."""

from collections.abc import Iterator
from math import ceil
from typing import Final, NamedTuple

import msgspec

from roost.commands.filtering import chance_on_a_node, share_heard

MAX_NODES: Final = 500
"""Of one cluster; beyond it several clusters are planned."""
MAX_CLUSTERS: Final = 1000
FRAME_BYTES: Final = 120
"""Beside the payload in a publish between nodes: topic, event, lengths and the share of a message's head."""
BEAT_BYTES: Final = 7900
"""Of one node's beat, with the number of each of 1,024 buckets."""
MICROSECOND: Final = 1e-6


class Constants(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each part costs, as `python -m tests.load constants` measured it. CPU in microseconds, memory in bytes."""

    measured: str
    """The day."""
    machine: str
    """Its class."""
    release: str
    """Of Roost."""
    delivery: float
    """A worker's CPU for a message to one client, sent alone: the dearest way."""
    publish: float
    """A worker's for a client's message that its channel broadcasts, beside the deliveries."""
    heartbeat: float
    join: float
    """A node's for a client that connects and joins."""
    shard_publish: float
    """A shard's for a broadcast, however few it reaches."""
    shard_delivery: float
    """A shard's for each further client that it reaches."""
    bridge_sent: float
    """A bridge's for a publish that goes out."""
    bridge_received: float
    """A bridge's for a publish that comes in."""
    bridge_beat: float
    """A bridge's for a beat of another node."""
    engine_messages: float
    """That one NATS server hands out in a second."""
    client_memory: float
    node_memory: float
    """Broker, gateway and bridge."""
    worker_memory: float
    shard_memory: float


class Load(msgspec.Struct, frozen=True):
    """What is to be served."""

    clients: int
    rate: float
    """Messages a second that all of them publish together."""
    fanout: float
    """Clients that a message reaches."""
    rooms: int | None = None
    """Topics in which they meet; by default each client is in one."""
    ids: bool = True
    """Whether sockets have an id: each is a topic more on its node."""
    payload: int = 64
    """Bytes of a message."""
    cores: int = 8
    """Of a node's machine."""
    headroom: float = 0.5
    """Share of each part that stays free."""
    heartbeat: float = 30.0
    """Seconds between two of a client."""
    most_clients: int = 100_000
    """Of a node: so many were ever measured on one."""

    @property
    def topics(self) -> float:
        """Rooms, those that were named or those that there must be."""
        return self.rooms if self.rooms is not None else max(1.0, self.clients / max(1.0, self.fanout))


class Plan(msgspec.Struct, frozen=True):
    """What serves it."""

    clusters: int
    """More than one if one cannot carry it: then the clients of a room have to meet in one of them."""
    nodes: int
    """In all."""
    workers: int
    """Of a node."""
    shards: int
    memory: float
    """Bytes of a node's processes."""
    clients_a_node: int
    heard: float
    """Share of other nodes' publishes that a node hears."""
    received: float
    """Publishes a second that come to a node from others."""
    engine_in: float
    """Publishes a second that all nodes of a cluster hand to the engine."""
    engine_out: float
    """Publishes a second that it hands out to them: in a cluster, too."""
    engine_bytes: float
    """Bytes a second that it hands out, beats included."""
    engine_servers: int
    use: dict[str, float]
    """How full each part is, of all that it can do: a process of a core, the node of its cores."""
    first: str
    """The part that is fullest but for workers: those can be added as long as there are cores."""
    rejoin: float
    """Seconds in which the clients of a lost node join again on the others, by what their workers have left."""


class NoPlan(ValueError):
    """It cannot be served; the text says why."""


def plan(load: Load, cost: Constants) -> Plan:
    """The fewest clusters, and of them the fewest nodes, that leave the headroom. Raises NoPlan."""
    for clusters in _clusters():
        part = msgspec.structs.replace(
            load,
            clients=ceil(load.clients / clusters),
            rate=load.rate / clusters,
            rooms=ceil(load.topics / clusters),
        )
        for nodes in range(_fewest(part, cost), MAX_NODES + 1):
            found = _of(part, cost, clusters, nodes)
            if found is not None:
                return found
    raise NoPlan(f"more than {MAX_CLUSTERS} clusters of {MAX_NODES} nodes: spread the load otherwise")


def _clusters() -> Iterator[int]:
    """1 to 20 one by one, then in steps of a tenth."""
    clusters = 1
    while clusters <= MAX_CLUSTERS:
        yield clusters
        clusters = max(clusters + 1, clusters * 11 // 10)


def _fewest(load: Load, cost: Constants) -> int:
    """Nodes below which there are too many clients on each, or workers have not enough cores."""
    by_cores = int(_client_cpu(load, cost, 1) / (load.cores * (1.0 - load.headroom)))
    return max(1, by_cores, ceil(load.clients / load.most_clients))


def _client_cpu(load: Load, cost: Constants, nodes: int) -> float:
    """Cores that the workers of a node need."""
    deliveries = load.rate * load.fanout * cost.delivery
    beats = load.clients / load.heartbeat * cost.heartbeat
    return (deliveries + load.rate * cost.publish + beats) * MICROSECOND / nodes


class _Flow(NamedTuple):
    """What goes through one node of a cluster of so many."""

    clients: float
    deliveries: float
    published: float
    heard: float
    received: float


class _Node(NamedTuple):
    """The processes of a node and how full they are."""

    workers: int
    shards: int
    cores: float
    """That they use."""
    use: dict[str, float]


def _flow(load: Load, nodes: int) -> _Flow:
    clients, published = load.clients / nodes, load.rate / nodes
    here = chance_on_a_node(load.fanout, nodes)
    heard = share_heard(here, load.topics * here + (clients if load.ids else 0)) if nodes > 1 else 0.0
    return _Flow(clients, published * load.fanout, published, heard, published * (nodes - 1) * heard)


def _node(load: Load, cost: Constants, nodes: int, flow: _Flow) -> _Node | None:
    """None if any part of it would be too full: each shard sees every publish, and there is one bridge."""
    allowed = 1.0 - load.headroom
    each = (flow.published + flow.received) * cost.shard_publish * MICROSECOND
    shared = flow.deliveries * cost.shard_delivery * MICROSECOND
    if each >= allowed:
        return None
    shards = max(1, ceil(shared / (allowed - each)))
    clients = _client_cpu(load, cost, nodes)
    workers = max(1, ceil(clients / allowed))
    bridge = _bridge(cost, nodes, flow)
    cores = clients + shards * each + shared + bridge
    if bridge > allowed or cores > allowed * load.cores:
        return None
    use = {"workers": clients / workers, "shards": each + shared / shards, "the node's cores": cores / load.cores}
    return _Node(workers, shards, cores, use | ({"the bridge": bridge} if nodes > 1 else {}))


def _bridge(cost: Constants, nodes: int, flow: _Flow) -> float:
    """The part of a core that it uses."""
    if nodes == 1:
        return 0.0
    publishes = flow.published * cost.bridge_sent + flow.received * cost.bridge_received
    return (publishes + (nodes - 1) * cost.bridge_beat) * MICROSECOND


def _of(load: Load, cost: Constants, clusters: int, nodes: int) -> Plan | None:
    """A cluster of so many nodes, None if they would be too full."""
    flow = _flow(load, nodes)
    node = _node(load, cost, nodes, flow)
    if node is None:
        return None
    several = nodes > 1
    out, beats = flow.received * nodes, float(nodes * nodes if several else 0)
    servers = ceil((out + beats) / (cost.engine_messages * (1.0 - load.headroom)))
    use = node.use | ({"the engine": (out + beats) / cost.engine_messages / servers} if several else {})
    free = node.workers * (1.0 - use["workers"])
    processes = cost.node_memory + node.workers * cost.worker_memory + node.shards * cost.shard_memory
    return Plan(
        clusters=clusters,
        nodes=clusters * nodes,
        workers=node.workers,
        shards=node.shards,
        memory=processes + flow.clients * cost.client_memory,
        clients_a_node=ceil(flow.clients),
        heard=flow.heard,
        received=flow.received,
        engine_in=load.rate if several else 0.0,
        engine_out=out,
        engine_bytes=out * (load.payload + FRAME_BYTES) + beats * BEAT_BYTES,
        engine_servers=clusters * servers,
        use=use,
        first=max(use.keys() - {"workers"}, key=lambda part: use[part]),
        rejoin=flow.clients * cost.join * MICROSECOND / (free * max(1, nodes - 1)),
    )
