"""What a worker answers to those who look into it or act on its clients, a few sockets at a time between turns."""

import asyncio
import ipaddress
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from heapq import nlargest
from operator import itemgetter
from typing import Any, Final, TypeVar

import msgspec

from roost.gateway.bus.uplink import Uplink
from roost.gateway.bus.worker_outside import publish_events
from roost.gateway.clients.assigns import shown_assigns
from roost.gateway.clients.connections import Connection, connection_of
from roost.gateway.clients.protocol import Membership
from roost.gateway.clients.runtime import Runtime
from roost.gateway.connect.mount import Mount
from roost.gateway.processes.addresses import url
from roost.gateway.raw_socket import RawSocket
from roost.gateway.transports.server import HostedServer
from roost.shared.acting import BroadcastEvents, Disconnected, DisconnectSockets
from roost.shared.bus import Lane
from roost.shared.canary import OWN_PATHS
from roost.shared.control import StartWorker
from roost.shared.frames import CloseCode
from roost.shared.inspection import (
    MAX_ROWS,
    AskClient,
    AskPresences,
    AskRoutes,
    AskSlowestClients,
    AskSockets,
    AskSubscribers,
    AskTree,
    ChannelState,
    ClientSockets,
    ControlEvent,
    GatewayQuestion,
    GoneSocket,
    MountRow,
    Presences,
    PresentKey,
    Routes,
    SlowestClients,
    SocketRow,
    Sockets,
    SocketState,
    SubscriberRow,
    Subscribers,
    TopicRoute,
    WorkerTree,
    as_network,
)
from roost.shared.link import Refused
from roost.shared.peer.audience import Subscription
from roost.shared.topics import RESERVED

SLICE: Final = 500
"""Sockets or subscriptions that are looked at in one turn of the loop."""
MAX_DETAILED: Final = 20
"""Sockets of one name that are told in full; the others are only counted."""
MAX_NAME: Final = 999
"""Characters of a socket's name; what is longer names none."""

T = TypeVar("T")


class WorkerInspection:
    """Looks into one worker."""

    def __init__(self, runtime: Runtime, uplink: Uplink, server: HostedServer, start: StartWorker) -> None:
        self._runtime = runtime
        self._uplink = uplink
        self._server = server
        self._start = start

    async def answer(self, question: GatewayQuestion) -> Any:
        """The answer. Raises Refused."""
        match question:
            case AskSubscribers(topic, limit):
                return await self._subscribers(topic, limit)
            case AskSockets(name):
                return await self._sockets(name)
            case AskClient(network, limit):
                return await self._client(network, limit)
            case AskSlowestClients(limit):
                return await self._slowest(limit)
            case AskPresences(topic, limit):
                return self._presences(topic, limit)
            case AskRoutes():
                return self._routes()
            case AskTree():
                return await self._tree()
            case BroadcastEvents(events):
                return await publish_events(self._runtime.worker, self._uplink, events)
            case DisconnectSockets(name):
                return await self._disconnect(name)

    # Who subscribes

    async def _subscribers(self, topic: str, limit: int) -> Subscribers:
        rows: list[SubscriberRow] = []
        total = 0
        if not topic.startswith(RESERVED):
            async for one in _in_slices(self._uplink.subscriptions.values()):
                if one.topic == topic and one.standing:
                    total += 1
                    if len(rows) < limit:
                        rows.append(self._subscriber(one))
        return Subscribers(total, tuple(rows))

    def _subscriber(self, subscription: Subscription) -> SubscriberRow:
        connection = connection_of(subscription.inbox)
        return SubscriberRow(
            self._uplink.owner(subscription),
            self._runtime.worker,
            subscription.number,
            Lane(subscription.lane),
            self._unix(subscription.since),
            None if connection is None else self._name(connection),
            None if connection is None else connection.socket.id,
            None if connection is None else connection.transport.address,
        )

    # Sockets

    async def _sockets(self, name: str) -> Sockets:
        found = await self._named(name)
        gone = []
        if not found and (number := self._own_number(name)) is not None and (events := self._events(number)):
            gone.append(GoneSocket(name, events))
        return Sockets(len(found), tuple(map(self._state, found[:MAX_DETAILED])), tuple(gone))

    async def _client(self, network: str, limit: int) -> ClientSockets:
        try:
            wanted = as_network(network)
        except ValueError:
            raise Refused(f"{network!r} is no address and no network") from None
        rows: list[SocketRow] = []
        total = 0
        async for connection in _in_slices(self._runtime.clients.values()):
            if _is_in(connection.transport.address, wanted):
                total += 1
                if len(rows) < limit:
                    rows.append(self._row(connection))
        return ClientSockets(total, tuple(rows))

    async def _slowest(self, limit: int) -> SlowestClients:
        """By what waits when each of them is looked at."""
        waiting = [
            (bytes_, connection)
            async for connection in _in_slices(self._runtime.clients.values())
            if (bytes_ := connection.transport.waiting)
        ]
        most = nlargest(limit, waiting, key=itemgetter(0))
        rows = tuple(msgspec.structs.replace(self._row(one), waiting=bytes_) for bytes_, one in most)
        return SlowestClients(len(waiting), sum(map(itemgetter(0), waiting)), rows)

    async def _disconnect(self, name: str) -> Disconnected:
        found = await self._named(name)
        for connection in found:
            connection.transport.close(CloseCode.GOING_AWAY)
        return Disconnected(tuple(map(self._name, found)))

    async def _named(self, name: str) -> list[Connection]:
        """The one of that number, if it is this worker's, or those to which the application gave this id."""
        number = self._own_number(name)
        if number is not None and number in self._runtime.clients:
            return [self._runtime.clients[number]]
        return [one async for one in _in_slices(self._runtime.clients.values()) if one.socket.id == name]

    def _own_number(self, name: str) -> int | None:
        worker, _, number = name.partition(".")
        if not (worker.isdecimal() and number.isdecimal() and name.isascii() and len(name) <= MAX_NAME):
            return None
        return int(number) if int(worker) == self._runtime.worker else None

    def _row(self, connection: Connection) -> SocketRow:
        socket, transport = connection.socket, connection.transport
        heartbeat = connection.heartbeat
        return SocketRow(
            self._name(connection),
            socket.id,
            _class_name(type(socket)),
            transport.name,
            transport.address,
            self._unix(connection.since),
            None if heartbeat is None else self._unix(heartbeat),
            transport.waiting,
            connection.held_back,
            len(connection.topics),
        )

    def _state(self, connection: Connection) -> SocketState:
        channels = list(connection.topics.values())[:MAX_ROWS]
        return SocketState(
            self._row(connection),
            self._assigns(connection.socket),
            tuple(self._channel(membership) for membership in channels),
            self._events(connection.socket.number),
        )

    def _channel(self, membership: Membership) -> ChannelState:
        process = membership.process
        subscription = process.subscription
        return ChannelState(
            membership.topic,
            _class_name(type(process.channel)),
            membership.status.name.lower(),
            0 if subscription is None else subscription.number,
            _ref(membership.join_ref),
            _ref(membership.ref),
            None if subscription is None else self._unix(subscription.since),
            self._assigns(process.channel),
        )

    def _assigns(self, owner: Any) -> str:
        return shown_assigns(vars(owner), self._runtime.endpoint.filter_parameters)

    def _events(self, socket: int) -> tuple[ControlEvent, ...]:
        recent = self._runtime.recent.of(socket)
        return tuple(ControlEvent(self._unix(one.time), one.event, one.topic) for one in recent)

    def _name(self, connection: Connection) -> str:
        return f"{self._runtime.worker}.{connection.socket.number}"

    def _unix(self, noted: float) -> float:
        """Unix time of what was noted by the loop's clock."""
        return time.time() - (self._runtime.now() - noted)

    # Who is present

    def _presences(self, topic: str, limit: int) -> Presences:
        """As it is tracked: what `fetch` would add is for clients."""
        rows = [
            PresentKey(presence.name, key, entries["metas"])
            for presence in self._runtime.endpoint.presences
            for key, entries in sorted(presence.tracked(topic).items())
        ]
        return Presences(len(rows), tuple(rows[:limit]))

    # What serves what

    def _routes(self) -> Routes:
        endpoint = self._runtime.endpoint
        app = None if endpoint.app is None else _class_name(type(endpoint.app))
        return Routes(tuple(_mount(mount) for mount in endpoint.mounts if not mount.path.startswith(OWN_PATHS)), app)

    async def _tree(self) -> WorkerTree:
        sockets: Counter[str] = Counter()
        channels: Counter[str] = Counter()
        async for connection in _in_slices(self._runtime.clients.values()):
            sockets[_class_name(type(connection.socket))] += 1
            for membership in list(connection.topics.values()):
                channels[_class_name(type(membership.process.channel))] += 1
        start = self._start
        plain = start.addresses if self._server.serving else ()
        secure = start.tls.addresses if start.tls and self._server.serving else ()
        listeners = (*(url(address) for address in plain), *(url(address, "https") for address in secure))
        http = len(self._server.server_state.connections)
        return WorkerTree(start.number, listeners, dict(sockets), dict(channels), http)


async def _in_slices(items: Iterable[T]) -> AsyncIterator[T]:
    """All that there are now, some in each turn of the loop."""
    for at, item in enumerate(list(items), 1):
        yield item
        if not at % SLICE:
            await asyncio.sleep(0)


def _is_in(address: str | None, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Whether an address is in a network; one of IPv4 as IPv6 writes it, too."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return parsed in network or (mapped is not None and mapped in network)


def _mount(mount: Mount) -> MountRow:
    raw = issubclass(mount.socket, RawSocket)
    routes = () if issubclass(mount.socket, RawSocket) else mount.socket.routes
    return MountRow(
        _class_name(mount.socket),
        None if mount.websocket is None else mount.path + mount.websocket.path,
        None if mount.longpoll is None else mount.path + mount.longpoll.path,
        tuple(TopicRoute(route.pattern, _class_name(route.channel)) for route in routes),
        raw,
    )


def _ref(ref: Any) -> str | None:
    """What a client sends as a ref is any JSON value."""
    return None if ref is None else str(ref)


def _class_name(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
