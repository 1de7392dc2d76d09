"""What is known of a connection besides its parameters. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConnectInfo:
    """The request with which a client connects."""

    peer: tuple[str, int]
    """Address and port of the client."""
    path: str
    query: str
    headers: Mapping[str, str]
    """Looked up in any case."""
    transport: str
    """`websocket`."""
