"""What is known of a connection besides its parameters. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from websockets.datastructures import Headers

_TRACE_CONTEXT: Final = ("traceparent", "tracestate")

Pairs = list[tuple[str, str]]
"""Headers with their names in lower case, in the order in which they came."""


class PeerData(msgspec.Struct, frozen=True):
    """Who connects; behind a trusted proxy the client that the proxy names."""

    address: str
    port: int
    """0 if a proxy names the client without one."""
    ssl_cert: bytes | None = None
    """The client's certificate (DER), if it showed one to us; a proxy's own is not the client's."""


class Uri(msgspec.Struct, frozen=True):
    """What the client asked for."""

    scheme: str
    """`http` or `https`."""
    host: str
    port: int
    path: str
    query: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}" + (f"?{self.query}" if self.query else "")


class ConnectInfo(msgspec.Struct, frozen=True):
    """The request with which a client connects: Phoenix's connect info."""

    peer_data: PeerData
    uri: Uri
    headers: Headers
    """All headers, looked up in any case."""
    transport: str = "websocket"
    auth_token: str | None = None
    """The `authToken` of phoenix.js, on a mount with `auth_token=True`."""
    subprotocol: str | None = None
    """The one that was agreed on, on a mount with `subprotocols`."""
    session: Any = None
    """What the mount's session hook read; None if there is none, or its CSRF token was not right."""
    custom: Mapping[str, Any] = {}
    """What the mount was given as `connect_info`."""

    @property
    def user_agent(self) -> str | None:
        """The header of that name."""
        return next(iter(self.headers.get_all("user-agent")), None)

    @property
    def x_headers(self) -> Pairs:
        """All headers whose name begins with `x-`."""
        return self._named("x-")

    @property
    def trace_context_headers(self) -> Pairs:
        """`traceparent` and `tracestate` of the W3C's Trace Context."""
        return [pair for pair in self._named("trace") if pair[0] in _TRACE_CONTEXT]

    @property
    def sec_websocket_headers(self) -> Pairs:
        """All headers whose name begins with `sec-websocket-`; without the auth token, if it was taken out."""
        return self._named("sec-websocket-")

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies by name, as they came; of two with one name the first."""
        cookies: dict[str, str] = {}
        for header in self.headers.get_all("cookie"):
            for part in header.split(";"):
                name, equals, value = part.partition("=")
                if equals:
                    cookies.setdefault(name.strip(), value.strip())
        return cookies

    def _named(self, prefix: str) -> Pairs:
        pairs = ((name.lower(), value) for name, value in self.headers.raw_items())
        return [pair for pair in pairs if pair[0].startswith(prefix)]
