"""What is asked of a running node to look into it, and what is answered. Pure.

Whoever looks, a command or a page, asks these. `control` puts them among the messages of the control socket.
"""

import ipaddress
from typing import Any, Final

import msgspec

from roost.shared.acting import BroadcastEvents, DisconnectSockets
from roost.shared.bus import Lane
from roost.shared.control_message import ControlMessage
from roost.shared.shard_map import Slot

MAX_ROWS: Final = 1000
"""Rows of one answer, where nobody asks for another number; how many there are is said beside them."""


# Topics: in pages, since there may be millions


class Cursor(msgspec.Struct, frozen=True):
    """How far the walk through one shard's topics has come."""

    slot: Slot
    before: int
    """The walk goes on below this place; places count down to 0."""


class AskTopics(ControlMessage, frozen=True):
    """To the broker. Answered by `TopicPages`: the next topics of each shard, those of a prefix.

    Asked again with the cursors that the answer gives, until it gives none. See `TopicWalk`.
    """

    prefix: str = ""
    cursors: tuple[Cursor, ...] = ()
    """Empty to begin, with every shard."""


class AskTopicPage(ControlMessage, frozen=True):
    """To a shard. Answered by a `TopicPage`: as many topics as it can count in a moment."""

    prefix: str
    before: int | None = None
    """None to begin."""


class TopicCount(msgspec.Struct, frozen=True, gc=False):
    """A topic and how many subscribe to it."""

    topic: str
    subscribers: int


class TopicPage(msgspec.Struct, frozen=True):
    """A part of one shard's topics."""

    slot: Slot
    incarnation: int
    """A page of another incarnation begins anew: places mean something to their own only."""
    before: int
    """Where the walk goes on; 0 when it is over."""
    topics: tuple[TopicCount, ...]


class TopicPages(msgspec.Struct, frozen=True):
    """One page of each shard that was asked."""

    pages: tuple[TopicPage, ...]
    silent: tuple[str, ...] = ()
    """Who did not answer in time."""


# Sockets and who subscribes: the workers know


class AskSubscribers(ControlMessage, frozen=True):
    """To the broker, on to the gateway and all workers. Answered by `Subscribers`."""

    topic: str
    limit: int = MAX_ROWS


class AskSockets(ControlMessage, frozen=True):
    """The same way. Answered by `Sockets`: those of one name."""

    name: str
    """`WORKER.NUMBER`, or the id that the application gave."""


class AskClient(ControlMessage, frozen=True):
    """The same way. Answered by `ClientSockets`: those of one address, or of a network."""

    network: str
    limit: int = MAX_ROWS


class AskSlowestClients(ControlMessage, frozen=True):
    """The same way. Answered by `SlowestClients`."""

    limit: int = 20


def as_network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """An address or a network as people write it; one of IPv4 as IPv6 writes it, too. Raises ValueError."""
    network = ipaddress.ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    single = network.prefixlen == network.max_prefixlen
    return ipaddress.IPv4Network(mapped) if mapped is not None and single else network


class SubscriberRow(msgspec.Struct, frozen=True):
    """One subscriber of a topic."""

    slot: Slot
    """The shard that serves it."""
    worker: int
    subscriber: int
    lane: Lane
    since: float
    """Unix time, to half a second."""
    socket: str | None = None
    """`WORKER.NUMBER`; None for code that subscribes by itself."""
    id: str | None = None
    """What the application calls the socket."""
    address: str | None = None
    """The client's; behind a trusted proxy the one that the proxy names."""


class Subscribers(msgspec.Struct, frozen=True):
    """The subscribers of a topic, with whoever did not answer."""

    total: int
    """How many there are; rows beyond the limit are left out."""
    subscribers: tuple[SubscriberRow, ...]
    silent: tuple[str, ...] = ()


class SocketRow(msgspec.Struct, frozen=True):
    """One connected socket."""

    socket: str
    """`WORKER.NUMBER`: never used again."""
    id: str | None
    kind: str
    """The application's class."""
    transport: str
    address: str | None
    since: float
    """Unix time, to half a second."""
    heartbeat: float | None
    """Unix time of the last heartbeat, to half a second; None before the first."""
    waiting: int
    """Bytes that wait for the client to read."""
    held_back: int
    """Bytes of the client's messages that wait for its channels."""
    channels: int


class ChannelState(msgspec.Struct, frozen=True):
    """One channel of a socket."""

    topic: str
    channel: str
    """The application's class."""
    state: str
    subscriber: int
    """0 while it joins."""
    join_ref: str | None
    ref: str | None
    since: float | None
    assigns: str
    """Attributes of the channel, filtered as in log lines."""


class ControlEvent(msgspec.Struct, frozen=True):
    """Something that happened to a socket."""

    time: float
    """Unix time, to half a second."""
    event: str
    topic: str | None = None


class SocketState(msgspec.Struct, frozen=True):
    """All that is known of one socket."""

    row: SocketRow
    assigns: str
    """Attributes of the socket, filtered as in log lines."""
    channels: tuple[ChannelState, ...]
    """At most `MAX_ROWS`; the row counts them all."""
    events: tuple[ControlEvent, ...]
    """The last ones, as far as the worker remembers."""


class GoneSocket(msgspec.Struct, frozen=True):
    """What a worker remembers of a socket that is gone."""

    socket: str
    events: tuple[ControlEvent, ...]


class Sockets(msgspec.Struct, frozen=True):
    """The sockets of one name."""

    total: int
    sockets: tuple[SocketState, ...]
    gone: tuple[GoneSocket, ...] = ()
    silent: tuple[str, ...] = ()


class ClientSockets(msgspec.Struct, frozen=True):
    """The sockets of one address."""

    total: int
    sockets: tuple[SocketRow, ...]
    silent: tuple[str, ...] = ()


class SlowestClients(msgspec.Struct, frozen=True):
    """Clients for whom most bytes wait, the most first."""

    total: int
    """Clients for whom any wait."""
    waiting: int
    """Bytes that wait for all of them."""
    clients: tuple[SocketRow, ...]
    silent: tuple[str, ...] = ()


# Who is present: any worker knows


class AskPresences(ControlMessage, frozen=True):
    """To the broker, on to the gateway and one worker. Answered by `Presences`."""

    topic: str
    limit: int = MAX_ROWS


class PresentKey(msgspec.Struct, frozen=True):
    """Who is present under one key."""

    presence: str
    """The name of the presence: its module and class."""
    key: str
    metas: list[dict[str, Any]]


class Presences(msgspec.Struct, frozen=True):
    """Who is present in a topic, as one worker knows it."""

    total: int
    """Keys; rows beyond the limit are left out."""
    present: tuple[PresentKey, ...]


# What serves what


class AskRoutes(ControlMessage, frozen=True):
    """To the broker, on to the gateway and a worker. Answered by `Routes`."""


class TopicRoute(msgspec.Struct, frozen=True):
    """A topic pattern and the class of its channels."""

    pattern: str
    channel: str


class MountRow(msgspec.Struct, frozen=True):
    """A socket with the paths at which it is served."""

    socket: str
    websocket: str | None
    """None if it is not served over WebSocket."""
    longpoll: str | None
    routes: tuple[TopicRoute, ...]
    raw: bool = False


class Routes(msgspec.Struct, frozen=True):
    """All mounts, in their order."""

    mounts: tuple[MountRow, ...]
    http: str | None
    """What serves everything else, if anything does."""
    silent: tuple[str, ...] = ()


class AskTree(ControlMessage, frozen=True):
    """To the broker, on to the gateway and all workers. Answered by `NodeTree`, `GatewayTree` or `WorkerTree`."""


class WorkerTree(msgspec.Struct, frozen=True):
    """What one worker holds, folded by count."""

    number: int
    listeners: tuple[str, ...]
    """Where it listens."""
    sockets: dict[str, int]
    """By class."""
    channels: dict[str, int]
    """By class."""
    http_connections: int


class ProcessBranch(msgspec.Struct, frozen=True):
    """A process below a supervisor."""

    name: str
    pid: int
    restarts: int
    answered: bool
    state: str = ""
    worker: WorkerTree | None = None


class GatewayTree(msgspec.Struct, frozen=True):
    """The gateway and its workers."""

    pid: int
    app: str
    workers: tuple[ProcessBranch, ...]


class NodeTree(msgspec.Struct, frozen=True):
    """The supervision tree."""

    pid: int
    shards: tuple[ProcessBranch, ...]
    gateway: GatewayTree | None
    silent: tuple[str, ...] = ()
    bridge: ProcessBranch | None = None
    """To the other nodes of a cluster, if it is one of several."""


WorkerQuestion = (
    AskTree | AskSubscribers | AskSockets | AskClient | AskSlowestClients | AskPresences | AskRoutes | DisconnectSockets
)
"""What a gateway answers by asking its workers."""
GatewayQuestion = WorkerQuestion | BroadcastEvents
"""What a gateway answers, and its workers too."""
Inspection = AskTopics | AskTopicPage | GatewayQuestion
