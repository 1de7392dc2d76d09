"""What every transport does with a client that the application lets in: gives it what handles its messages."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from roost.gateway.clients.client import Client
from roost.gateway.clients.raw_connection import RawConnection
from roost.gateway.clients.serializers import read_serializers
from roost.gateway.connect.admission import wrong_id
from roost.gateway.connect.limited_client import LimitedClient
from roost.gateway.custom_transport import Transport as CustomTransport
from roost.gateway.raw_socket import RawSocket
from roost.gateway.replies import Error, Ok
from roost.gateway.transports.handshake import Refused, choose_serializer

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.connect.connect_info import ConnectInfo
    from roost.gateway.socket import Socket
    from roost.gateway.transports.transport import Handler, Transport
    from roost.shared.serializer import Serializer


def open_handler(
    runtime: "Runtime", socket: "Socket | RawSocket", serializer: "Serializer | None", transport: "Transport"
) -> "Handler":
    """Channels for a `Socket`, the socket's own methods for a `RawSocket`, which has no serializer.

    Not to be called from within a task.
    """
    if isinstance(socket, RawSocket):
        return RawConnection(runtime, socket, transport)
    assert serializer is not None
    if socket.rates is not None:
        return LimitedClient(runtime, socket, serializer, transport, socket.rates)
    return Client(runtime, socket, serializer, transport)


async def connect_transport(
    runtime: "Runtime",
    socket_class: "type[Socket | RawSocket]",
    transport: CustomTransport,
    params: dict[str, Any],
    info: "ConnectInfo",
    serializers: Sequence[tuple[Any, str]],
) -> Ok | Error:
    """Ask the application about a client of its own transport, and give the transport its handler."""
    serializer = None
    if not issubclass(socket_class, RawSocket):
        try:
            serializer = choose_serializer(params, read_serializers(serializers))
        except Refused as refused:
            return Error({"reason": refused.reason})
    socket = socket_class()
    socket.endpoint = runtime.endpoint
    socket.number = runtime.next_number()
    verdict = await socket.connect(params, info)
    if not isinstance(verdict, Ok):
        return verdict
    if wrong := wrong_id(socket):
        raise TypeError(wrong)
    transport.address = info.peer_data.address
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin() -> None:
        transport.open(open_handler(runtime, socket, serializer, transport))
        if not opened.done():
            opened.set_result(None)

    asyncio.get_running_loop().call_soon(begin)
    await opened
    return verdict
