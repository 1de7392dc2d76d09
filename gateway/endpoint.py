"""What an application makes one of: where its sockets are mounted, and what serves everything else."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from roost.gateway.bus.nodes import named_node
from roost.gateway.clients.calls import CALL_LIMIT, ChannelAddress
from roost.gateway.clients.serializers import DEFAULT_SERIALIZERS
from roost.gateway.connect.connect_info import ConnectInfo
from roost.gateway.connect.connecting import connect_transport
from roost.gateway.connect.mount import LongPoll, Mount, WebSocket, make_mount
from roost.gateway.connect.origin import CheckOrigin, read_check_origin
from roost.gateway.connect.rates import Rates
from roost.gateway.custom_transport import Transport
from roost.gateway.inspection.parameter_filter import DEFAULT_TERMS, DiscardParameters, ParameterFilter
from roost.gateway.presence.presence import Presence, check_presences
from roost.gateway.pubsub import PubSub
from roost.gateway.raw_socket import RawSocket
from roost.gateway.replies import Error, Ok
from roost.gateway.socket import Socket
from roost.gateway.telemetry import Telemetry
from roost.shared.bus import Reach
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.transports.asgi import AsgiEndpoint

Options = TypeVar("Options", WebSocket, LongPoll)

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class Endpoint:
    """Sockets by path. Everything that is for none of them goes to `app`, an ASGI application."""

    def __init__(
        self,
        *,
        sockets: Mapping[str, type[Socket | RawSocket]] | None = None,
        app: AsgiApp | None = None,
        check_origin: CheckOrigin = True,
        host: str | None = None,
        filter_parameters: Sequence[str] | ParameterFilter = DEFAULT_TERMS,
        presences: Sequence[Presence] = (),
    ) -> None:
        """`sockets` are mounted by path with the default options; `mount` adds others.

        `check_origin` says which pages may connect (see `WebSocket`); by default those of `host`, which is
        ROOST_PUBLIC_HOST unless it is given here. `filter_parameters` says what log
        lines mask: entries whose name contains one of these terms, or what a filter such as `KeepParameters` masks.
        `presences` are those that its channels track their clients in.
        """
        self.app: Any = app
        """The application beside the sockets: what it keeps in its `state`, sockets and channels find there."""
        self.telemetry = Telemetry()
        """Where code attaches to events of this endpoint."""
        self.filter_parameters: ParameterFilter = (
            filter_parameters if callable(filter_parameters) else DiscardParameters(filter_parameters)
        )
        """Masks what nobody is to read; for the log lines of the application, too."""
        self.mounts: list[Mount] = []
        self._check_origin = check_origin
        self._host = host
        self._runtime: Runtime | None = None
        self._secrets: tuple[str, ...] = ()
        self.presences = check_presences(presences)
        read_check_origin(check_origin)
        for path, socket in (sockets or {}).items():
            self.mount(path, socket)

    def mount(
        self,
        path: str,
        socket: type[Socket | RawSocket],
        *,
        websocket: WebSocket | bool = True,
        longpoll: LongPoll | bool = False,
        auth_token: bool = False,
        rates: Rates | None = None,
    ) -> Mount:
        """Serve a socket below a path: `mount("/socket", UserSocket)` answers at `/socket/websocket`, and with
        `longpoll=True` at `/socket/longpoll` too. In place of True stand options, `LongPoll(window=20)` say.

        A segment `:name` of the path stands for any text, which becomes a parameter. With `auth_token` the client may
        give phoenix.js its `authToken`, which is then `info.auth_token`. `rates` limits how often clients may
        connect, join and send events. Raises ValueError for options that do not go.
        """
        given: Any = socket
        if not (isinstance(given, type) and issubclass(given, Socket | RawSocket)):
            raise TypeError(f"{path} is mounted with a class made from Socket or RawSocket, not {socket!r}")
        mount = make_mount(
            path,
            socket,
            _options(websocket, WebSocket),
            _options(longpoll, LongPoll),
            auth_token=auth_token,
            check_origin=self._check_origin,
            raw=issubclass(socket, RawSocket),
            rates=rates,
        )
        self.mounts.append(mount)
        return mount

    async def call(self, address: ChannelAddress, question: Any, limit: float = CALL_LIMIT) -> Any:
        """Ask a channel, of this node or another, something: what its `handle_call` returns. Plain data both ways.

        Raises CallFailed if the channel has ended or crashes or its node has gone, TimeoutError after `limit` seconds.
        """
        return await self.runtime.calls.call(address, question, limit)

    def asgi(self, *secrets: str) -> "AsgiEndpoint":
        """An ASGI application that serves this endpoint, to be run or mounted by a server of your own.

        It is one process then: what is broadcast reaches the clients of that process alone, and there are no shards, no
        long-poll, no compression and no `roost` commands. `secrets` are what tokens are made of, each of at least 64
        bytes, the first for what is made, all for what is checked.
        """
        from roost.gateway.transports.asgi import AsgiEndpoint

        return AsgiEndpoint(self, secrets)

    async def connect(
        self,
        socket: type[Socket | RawSocket],
        transport: Transport,
        params: dict[str, Any],
        info: ConnectInfo,
        serializers: Sequence[tuple[Any, str]] = DEFAULT_SERIALIZERS,
    ) -> Ok | Error:
        """Connect a client that comes by a transport of the application's own. Answers the socket's verdict.

        After `Ok` the transport may be given what the client sends. Nothing else is checked, no origin say.
        """
        return await connect_transport(self.runtime, socket, transport, params, info, serializers)

    async def broadcast(self, topic: str, event: str, payload: Any) -> None:
        """Send an event to all subscribers of a topic, from anywhere in a worker. The payload is a dict or the like.

        They are those of all nodes, if the node is one of several. Raises PayloadTooLarge if it has no way to them.
        """
        form, data = encode_broadcast(topic, event, payload)
        await self.runtime.publish(application_topic(topic), form, event, data)

    async def local_broadcast(self, topic: str, event: str, payload: Any) -> None:
        """The same to the subscribers on this node alone, whatever the payload's size."""
        form, data = encode_broadcast(topic, event, payload)
        await self.runtime.publish(application_topic(topic), form, event, data, reach=Reach.NODE)

    async def direct_broadcast(self, node: str, topic: str, event: str, payload: Any) -> None:
        """The same to the subscribers on one node alone. Raises UnknownNode, with the names of those that are there."""
        form, data = encode_broadcast(topic, event, payload)
        await self.runtime.publish_to(named_node(node), application_topic(topic), form, event, data)

    @property
    def node_name(self) -> str:
        """The name of the node that serves this endpoint."""
        return self.runtime.nodes.own

    def nodes(self) -> list[str]:
        """The names of the other nodes of the cluster that are there now, in alphabetical order."""
        return self.runtime.nodes.others()

    @property
    def pubsub(self) -> PubSub:
        """Messages between code, by topic."""
        return PubSub(self.runtime)

    @property
    def runtime(self) -> "Runtime":
        """The worker that serves this endpoint. Raises RuntimeError outside one."""
        if self._runtime is None:
            raise RuntimeError("the endpoint is not being served: this works in a worker, after `roost gateway` began")
        return self._runtime

    @property
    def secrets(self) -> tuple[str, ...]:
        """The node's secrets: keys of what is made are derived from the first. Raises RuntimeError outside a worker."""
        _ = self.runtime
        return self._secrets

    @property
    def host(self) -> str | None:
        """The host name under which browsers know this endpoint."""
        return self._host

    def serve(self, runtime: "Runtime", secrets: tuple[str, ...] = (), host: str | None = None) -> None:
        """Be served by a worker; `host` is the node's."""
        self._runtime = runtime
        self._secrets = secrets
        if self._host is None:
            self._host = host
        runtime.presences = [presence.serve(runtime) for presence in self.presences]


def _options(given: Options | bool, kind: type[Options]) -> Options | None:
    """A transport's options: None if it is not served."""
    if given is True:
        return kind()
    return None if given is False else given
