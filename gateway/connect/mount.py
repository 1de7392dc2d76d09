"""Where a socket is mounted and how it is served; options are checked when they are given. Pure."""

import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.clients.serializers import BUILT_IN, DEFAULT_SERIALIZERS, Served, read_serializers
from roost.gateway.connect.connect_info import ConnectInfo
from roost.gateway.connect.origin import CheckOrigin, OriginPolicy, read_check_origin
from roost.gateway.connect.rates import Rates
from roost.gateway.connect.subprotocols import PHOENIX
from roost.gateway.transports.frame_reader import MAX_MESSAGE_BYTES
from roost.gateway.transports.long_poll_messages import serializers_for_polls
from roost.gateway.transports.outbox import MAX_OUTBOUND_BYTES

if TYPE_CHECKING:
    from roost.gateway.raw_socket import RawSocket
    from roost.gateway.socket import Socket

IDLE_TIMEOUT: Final = 60.0
"""Seconds after the last bytes of a client; phoenix.js sends a heartbeat every 30 s."""
MIN_FRAME_BYTES: Final = 126
"""The smallest limit that can be set."""

SessionHook = Callable[[ConnectInfo], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]
"""Reads the session that a request's cookies (or headers) name; None if there is none."""

_SEGMENT: Final = re.compile(r":[A-Za-z_][A-Za-z0-9_]*|[^:*]+")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """What can be said of every transport."""

    path: str
    """Appended to the path of the mount."""
    max_outbound_bytes: int = MAX_OUTBOUND_BYTES
    """Bytes that may wait for a client; beyond them its channels' `when_slow` decides."""
    check_origin: CheckOrigin | None = None
    """Which pages may connect; None asks the endpoint."""
    serializers: Sequence[tuple[Any, str]] = DEFAULT_SERIALIZERS
    """Those that are spoken, each with the versions that it is for; the first that fits a client's `vsn` is taken."""
    session: SessionHook | None = None
    """Reads the session for `info.session`."""
    check_csrf: bool = True
    """Whether a session counts only if the parameter `_csrf_token` belongs to it (`roost.csrf_token`)."""
    csrf_token_key: str = "_csrf_token"  # noqa: S105 - a name
    """Where the session keeps its CSRF token."""
    connect_info: Mapping[str, Any] = field(default_factory=dict)
    """Passed on as `info.custom`."""

    def __post_init__(self) -> None:
        if self.max_outbound_bytes <= 0:
            raise ValueError(f"max_outbound_bytes must be more than 0, not {self.max_outbound_bytes!r}")
        check_path(self.path)
        read_serializers(self.serializers)
        if self.check_origin is not None:
            read_check_origin(self.check_origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocket(TransportOptions):
    """How a socket is served over WebSocket."""

    path: str = "/websocket"
    timeout: float | None = IDLE_TIMEOUT
    """Seconds without a byte from the client after which it is disconnected; None for never."""
    max_frame_size: int = MAX_MESSAGE_BYTES
    """Bytes of a message, in one frame or in several; a larger one ends the connection with 1009."""
    compress: bool = False
    """Whether messages are compressed for clients that offer it (permessage-deflate)."""
    subprotocols: Sequence[str] | None = None
    """Those that are served, the preferred one first; None ignores what clients offer."""

    def __post_init__(self) -> None:
        TransportOptions.__post_init__(self)
        if self.timeout is not None and self.timeout <= 0:
            raise ValueError(f"timeout must be more than 0 seconds, or None for never, not {self.timeout!r}")
        if self.max_frame_size < MIN_FRAME_BYTES:
            raise ValueError(f"max_frame_size must be {MIN_FRAME_BYTES} bytes or more, not {self.max_frame_size!r}")
        for protocol in self.subprotocols or ():
            if not _TOKEN.fullmatch(protocol):
                raise ValueError(f"subprotocols: {protocol!r} is no name of a sub-protocol")


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPoll(TransportOptions):
    """How a socket is served over long-poll, to clients that get no WebSocket through."""

    path: str = "/longpoll"
    window: float = 10.0
    """Seconds that a poll waits for something to answer. A client that does not poll for 1.5 times that is gone."""
    pubsub_timeout: float = 2.0
    """Seconds beyond the window that a poll waits for the worker that holds its session."""
    max_age: float = 1_209_600.0
    """Seconds for which the token of a session is good: two weeks, as in Phoenix."""

    def __post_init__(self) -> None:
        TransportOptions.__post_init__(self)
        for name in ("window", "pubsub_timeout", "max_age"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be more than 0 seconds, not {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Mount:
    """A socket at a path, with what its endpoint says where the options say nothing."""

    path: str
    socket: "type[Socket | RawSocket]"
    websocket: WebSocket | None
    """None if it is not served."""
    auth_token: bool = False
    """Whether a token is taken from the sub-protocols that the client offers."""
    origin_policy: OriginPolicy | None = None
    """None lets every page connect."""
    longpoll: LongPoll | None = None
    """None if it is not served."""
    longpoll_origin_policy: OriginPolicy | None = None
    """None lets every page poll."""
    serializers: Served = BUILT_IN
    """Over WebSocket; empty for a raw socket: its messages are the application's own."""
    longpoll_serializers: Served = BUILT_IN
    """The same over long-poll."""
    rates: Rates | None = None
    """How often clients may connect, join and send events; None for no limit."""

    @property
    def over_websocket(self) -> WebSocket:
        """The options of a mount that is served over WebSocket."""
        assert self.websocket is not None
        return self.websocket

    @property
    def subprotocols(self) -> Sequence[str] | None:
        """Those that are served; None if offers are ignored."""
        served = self.websocket.subprotocols if self.websocket is not None else None
        return (PHOENIX, *(served or ())) if self.auth_token else served


def make_mount(
    path: str,
    socket: "type[Socket | RawSocket]",
    websocket: WebSocket | None,
    longpoll: LongPoll | None = None,
    *,
    auth_token: bool,
    check_origin: CheckOrigin,
    raw: bool = False,
    rates: Rates | None = None,
) -> Mount:
    """A mount whose options are complete; `check_origin` is the endpoint's. Raises ValueError.

    `raw`: the socket has no channels, and so no serializers.
    """
    check_path(path)
    if websocket is None and longpoll is None:
        raise ValueError(f"{path}: a socket is served over WebSocket, over long-poll or over both, not over neither")
    if websocket is not None and longpoll is not None and longpoll.path == websocket.path:
        raise ValueError(f"{path}: WebSocket and long-poll cannot both be at {websocket.path!r}")
    if raw and rates is not None and rates.limits_messages:
        raise ValueError(f"{path}: a raw socket has no joins and events whose rates could be limited")
    return Mount(
        path,
        socket,
        websocket,
        auth_token,
        _origin_policy(path, websocket, check_origin),
        longpoll,
        _origin_policy(path, longpoll, check_origin),
        _serializers(websocket, raw=raw),
        serializers_for_polls(_serializers(longpoll, raw=raw)),
        rates,
    )


def _serializers(options: TransportOptions | None, *, raw: bool) -> Served:
    return () if raw or options is None else read_serializers(options.serializers)


def _origin_policy(path: str, options: TransportOptions | None, check_origin: CheckOrigin) -> OriginPolicy | None:
    if options is None:
        return None
    own = options.check_origin
    policy = read_check_origin(check_origin if own is None else own)
    if policy is None and not options.check_csrf:
        raise ValueError(f"{path}: one of check_origin and check_csrf must stay on, or any page can use its sessions")
    return policy


def check_path(path: str) -> None:
    """Raises ValueError for what cannot be a part of a socket's path."""
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError(f"a path begins with / and does not end with it, {path!r} is not one")
    for segment in path.split("/")[1:]:
        if not _SEGMENT.fullmatch(segment):
            raise ValueError(f"{path!r}: between slashes stands a text or a :name, {segment!r} is neither")
