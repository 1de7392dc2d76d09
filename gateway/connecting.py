"""What every transport does with a client that the application lets in: gives it what handles its messages."""

from typing import TYPE_CHECKING

from roost.gateway.client import Client
from roost.gateway.raw_connection import RawConnection
from roost.gateway.raw_socket import RawSocket

if TYPE_CHECKING:
    from roost.gateway.runtime import Runtime
    from roost.gateway.socket import Socket
    from roost.gateway.transport import Handler, Transport
    from roost.shared.serializer import Serializer


def open_handler(
    runtime: "Runtime", socket: "Socket | RawSocket", serializer: "Serializer | None", transport: "Transport"
) -> "Handler":
    """Channels for a `Socket`, the socket's own methods for a `RawSocket`, which has no serializer."""
    if isinstance(socket, RawSocket):
        return RawConnection(runtime, socket, transport)
    assert serializer is not None
    return Client(runtime, socket, serializer, transport)
