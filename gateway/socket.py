"""What an application derives from to accept connections and to route topics to channels."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from roost.gateway.clients.protocol import MAX_CHANNELS
from roost.gateway.connect.connect_info import ConnectInfo
from roost.gateway.events import check_callback
from roost.gateway.inspection.log_lines import Level, check_level
from roost.gateway.replies import Error, Ok
from roost.gateway.routes import Route, find_route
from roost.shared.topics import RESERVED

if TYPE_CHECKING:
    from roost.gateway.channel import Channel
    from roost.gateway.connect.rates import ClientRates
    from roost.gateway.endpoint import Endpoint


class Socket:
    """One connection. Attributes set in `connect` are shared, read-only, by all of its channels."""

    routes: "ClassVar[list[Route[type[Channel[Any]]]]]" = []  # noqa: RUF012 - each subclass gets its own
    max_channels: ClassVar[int] = MAX_CHANNELS
    """Channels that one connection may join."""

    endpoint: "Endpoint"
    """The endpoint that serves this socket."""
    log: ClassVar[Level] = logging.DEBUG
    """At which level connections are logged; None for never. (Phoenix: info, which costs four lines for each.)"""

    number: int
    """Names the connection within its worker, and is never used again; for sockets without an id too."""
    rates: "ClientRates | None" = None
    """How often its client may do things, if its mount limits that. Not to be set."""
    id: str | None = None
    """Set in `connect`, names all sockets of, say, one user: a broadcast of `disconnect` on this topic closes them."""
    expires_at: float | None = None
    """Set in `connect`, ends the connection then (close code 4010), in seconds since 1970: that of a token, say."""
    _connected = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.routes = list(cls.routes)
        check_level(cls.__name__, "log", cls.log)
        check_callback(cls, "connect", "params", "info")

    @classmethod
    def route(
        cls, pattern: str, channel: "type[Channel[Any]]", assigns: Mapping[str, Any] | None = None
    ) -> "Route[type[Channel[Any]]]":
        """Serve topics with a channel class: an exact topic, or a prefix and `*`. The first that matches serves.

        `assigns` become attributes of each channel, before it is asked to join.
        """
        if not hasattr(channel, "event_methods"):
            raise TypeError(f"{cls.__name__}.route serves {pattern!r} with a class made from Channel, not {channel!r}")
        route = Route(pattern, channel, assigns or {})
        cls.routes.append(route)
        return route

    @classmethod
    def find(cls, topic: str) -> "tuple[Route[type[Channel[Any]]], str] | None":
        """The route of a topic and what its `*` matched; the node's own topics have none."""
        return None if topic.startswith(RESERVED) else find_route(cls.routes, topic)

    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        """Whether the client may connect: `Ok()`, or `Error()`, which is answered 403 unless it has another status.

        `params` are the query's and those of the path's `:name`s. By default everybody may.
        """
        del params, info
        return Ok()

    def renew(self, expires_at: float) -> None:
        """Let the connection be good until then instead; for a channel whose client has shown a new token.

        Raises RuntimeError before the client is connected: set `expires_at` in `connect`.
        """
        client = self.endpoint.runtime.clients.get(self.number)
        if client is None:
            raise RuntimeError("the socket is not connected: set expires_at in connect")
        object.__setattr__(self, "expires_at", expires_at)
        self.endpoint.runtime.expiring.watch(client, expires_at)

    def freeze(self) -> None:
        """The client is connected: from now on the socket is read-only."""
        object.__setattr__(self, "_connected", True)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._connected:
            raise AttributeError(
                f"{name} cannot be set: all channels share the socket, so it is read-only after connect; "
                "keep what changes in a channel's attributes"
            )
        object.__setattr__(self, name, value)
