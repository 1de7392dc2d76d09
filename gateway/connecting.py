"""Asks an application whether a client may connect; all transports do it here, and telemetry hears the answer."""

from typing import TYPE_CHECKING, Any

from roost.gateway.replies import Ok
from roost.gateway.telemetry import SocketConnected

if TYPE_CHECKING:
    from roost.gateway.connect_info import ConnectInfo
    from roost.gateway.review import Candidate
    from roost.gateway.socket import Socket


async def ask(socket: "Socket", candidate: "Candidate", info: "ConnectInfo") -> Any:
    """What the socket's `connect` answers; whatever it raises."""
    telemetry = socket.endpoint.telemetry
    if SocketConnected not in telemetry.attached:
        return await socket.connect(candidate.params, info)
    began = telemetry.clock()
    verdict = await socket.connect(candidate.params, info)
    telemetry.emit(
        SocketConnected(
            duration=telemetry.clock() - began,
            result="ok" if admits(socket, verdict) else "error",
            endpoint=socket.endpoint,
            user_socket=type(socket),
            socket=socket,
            transport=info.transport,
            vsn=candidate.params.get("vsn", "1.0.0"),
            serializer=type(candidate.serializer).__name__,
            params=candidate.params,
            connect_info=info,
        )
    )
    return verdict


def admits(socket: "Socket", verdict: Any) -> bool:
    """Whether that answer, and the id that the socket gave itself, let the client in."""
    return isinstance(verdict, Ok) and isinstance(socket.id, str | None)
