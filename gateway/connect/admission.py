"""Whether a client that nothing else speaks against may connect: the application is asked, on every transport."""

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from roost.gateway.connect.review import refusal
from roost.gateway.connect.session import read_session
from roost.gateway.inspection.parameter_filter import kind as value_kind
from roost.gateway.inspection.places import place
from roost.gateway.replies import Error, Ok
from roost.gateway.telemetry import SocketConnected
from roost.gateway.transports.handshake import Refused, response
from roost.shared.topics import application_topic

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.connect.connect_info import ConnectInfo
    from roost.gateway.connect.mount import Mount, TransportOptions
    from roost.gateway.connect.rates import ClientRates
    from roost.gateway.connect.review import Candidate
    from roost.gateway.raw_socket import RawSocket
    from roost.gateway.socket import Socket

_log = logging.getLogger("roost.entrance")


async def ask_application(
    runtime: "Runtime", mount: "Mount", options: "TransportOptions", candidate: "Candidate"
) -> "tuple[Any, Any]":
    """A new socket, and what its `connect` says of the client. Raises Refused if its address connects too often."""
    info = candidate.info
    rates = None if mount.rates is None else _limit(runtime, mount, info.peer_data.address)
    if options.session is not None:
        info = msgspec.structs.replace(info, session=await read_session(options, candidate.params, info))
    socket = mount.socket()
    if rates is not None:  # an attribute costs memory
        socket.rates = rates
    socket.endpoint = runtime.endpoint
    socket.number = runtime.next_number()
    return socket, await _ask(socket, candidate, info)


def _limit(runtime: "Runtime", mount: "Mount", address: str) -> "ClientRates | None":
    """Count a connect, and answer what else the client may do, if that is limited. Raises Refused."""
    limiter = runtime.rate_limiter(mount)
    if wait := limiter.connect(address, runtime.now()):
        runtime.turn.traffic.too_often += 1
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, retry_after=wait)
    return limiter.client(address, runtime.now()) if limiter.rates.limits_messages else None


async def _ask(socket: Any, candidate: "Candidate", info: "ConnectInfo") -> Any:
    """What the socket's `connect` answers; telemetry hears it too."""
    telemetry = socket.endpoint.telemetry
    if SocketConnected not in telemetry.attached:
        return await socket.connect(candidate.params, info)
    began = telemetry.clock()
    verdict = await socket.connect(candidate.params, info)
    telemetry.emit(
        SocketConnected(
            duration=telemetry.clock() - began,
            result="ok" if is_admitted(socket, verdict) else "error",
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


def is_admitted(socket: "Socket", verdict: Any) -> bool:
    """Whether the application lets the client in."""
    return isinstance(verdict, Ok) and wrong_id(socket) is None


def wrong_id(socket: "Socket | RawSocket") -> str | None:
    """What is wrong with the socket's id, which is a topic on which an application may publish; None if nothing is."""
    chosen: Any = socket.id
    if not isinstance(chosen, str | None):
        return f"{type(socket).__name__}.id must be a str or None, not {value_kind(chosen)}"
    try:
        application_topic(chosen or "")
    except ValueError as error:
        return f"{type(socket).__name__}.id: {error}"
    return None


def refuse(socket: "Socket", verdict: Any) -> bytes:
    """The response to a client that the application does not let in; what it should not have returned is logged."""
    connect = place(type(socket).connect)
    try:
        if isinstance(verdict, Error):
            return refusal(verdict)
    except TypeError as error:
        _log.error("connect returned %s: %s (%s)", value_kind(verdict), error, connect)
        return response(HTTPStatus.FORBIDDEN)
    if isinstance(verdict, Ok):
        _log.error("%s", wrong_id(socket))
    else:
        _log.error("connect returned %s; it returns Ok() or Error() (%s)", value_kind(verdict), connect)
    return response(HTTPStatus.FORBIDDEN)
