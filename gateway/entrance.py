"""The first protocol of every connection: looks at the request's head and decides whose it is.

A request for the path of a mounted socket is ours. Everything else goes to uvicorn, byte by byte as it came, and so to
the application's own ASGI app, its WebSocket routes included.
"""

import asyncio
import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from roost.gateway.client import Client
from roost.gateway.connect_info import ConnectInfo
from roost.gateway.handshake import (
    MAX_HEAD_BYTES,
    BadRequest,
    Refused,
    RequestHead,
    choose_serializer,
    read_params,
    response,
    target_path,
)
from roost.gateway.replies import Error, Ok
from roost.gateway.websocket import WebSocketTransport

if TYPE_CHECKING:
    from roost.gateway.endpoint import Mount
    from roost.gateway.site import Site
    from roost.gateway.socket import Socket
    from roost.shared.serializer import Serializer

_END_OF_HEAD: Final = b"\r\n\r\n"

_log = logging.getLogger("roost.entrance")


class Entrance(asyncio.Protocol):
    """One connection until it is known whose it is; if it is ours, until the handshake is done."""

    __slots__ = ("_data", "_deciding", "_site", "_transport", "_upgrading", "heard")

    def __init__(self, site: "Site", *, upgrading: bool) -> None:
        """`upgrading`: the connection had other requests before, so uvicorn has read the head and hands it over."""
        self._site = site
        self._upgrading = upgrading
        self._transport: asyncio.Transport
        self._data = b""
        self._deciding = False
        self.heard = 0.0

    # Told by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._site.entrances.add(self)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._deciding:
            if len(self._data) > MAX_HEAD_BYTES:
                self._answer(HTTPStatus.BAD_REQUEST, "too many bytes before the handshake was answered")
        elif _END_OF_HEAD in self._data:
            self._deciding = True
            if self._upgrading:
                # uvicorn makes this the connection's protocol when we return: nothing may replace it before.
                asyncio.get_running_loop().call_soon(self._decide)
            else:
                self._decide()
        elif len(self._data) > MAX_HEAD_BYTES:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - it is gone, however it went
        self._site.entrances.remove(self)

    def silent(self) -> None:
        """The request's head has not come in time."""
        self._answer(HTTPStatus.REQUEST_TIMEOUT)

    # Whose it is

    def _decide(self) -> None:
        self._site.entrances.remove(self)
        data = self._data
        if len(data.partition(_END_OF_HEAD)[0]) > MAX_HEAD_BYTES:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        mount = self._site.find(target_path(data))
        if mount is not None:
            self._handshake(mount)
            return
        successor = self._site.uvicorn_protocol(upgrading=self._upgrading)
        successor.connection_made(self._transport)
        self._transport.set_protocol(successor)
        successor.data_received(data)

    # Ours

    def _handshake(self, mount: "Mount") -> None:
        head, _, self._data = self._data.partition(_END_OF_HEAD)
        try:
            request = RequestHead(head + _END_OF_HEAD)
            if request.method != "GET":
                raise Refused(HTTPStatus.BAD_REQUEST)
            params = read_params(request.query)
            serializer = choose_serializer(params)
        except BadRequest as error:
            self._answer(HTTPStatus.BAD_REQUEST, str(error))
        except Refused as refused:
            self._answer(refused.status, refused.body)
        else:
            self._connect(mount, request, params, serializer)

    def _connect(self, mount: "Mount", request: RequestHead, params: dict[str, Any], serializer: "Serializer") -> None:
        info = ConnectInfo(
            peer=self._transport.get_extra_info("peername")[:2],
            path=request.path,
            query=request.query,
            headers=request.headers,
            transport="websocket",
        )
        runtime = self._site.runtime
        socket = mount.socket()
        socket.endpoint = runtime.endpoint
        socket.number = runtime.next_number()
        then = partial(self._connected, mount, request, socket, serializer)
        runtime.runner.run(socket.connect(params, info), None, then)

    def _connected(
        self,
        mount: "Mount",
        request: RequestHead,
        socket: "Socket",
        serializer: "Serializer",
        value: Any,
        error: BaseException | None,
    ) -> None:
        name = type(socket).__name__
        if self._transport.is_closing():
            return
        if error is not None:
            _log.error("%s crashed in connect", name, exc_info=error)
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR)
        elif isinstance(value, Ok) and isinstance(socket.id, str | None):
            self._upgrade(mount, request, socket, serializer)
        else:
            if isinstance(value, Ok):
                _log.error("%s.id must be a str or None, not %r", name, socket.id)
            elif not isinstance(value, Error):
                _log.error("%s.connect returned %r; it returns Ok() or Error()", name, value)
            self._answer(HTTPStatus.FORBIDDEN)

    def _upgrade(self, mount: "Mount", request: RequestHead, socket: "Socket", serializer: "Serializer") -> None:
        site = self._site
        try:
            accepted = site.judge.accept(request)
        except Refused as refused:
            self._answer(refused.status, refused.body)
            return
        transport = self._transport
        transport.write(accepted)
        websocket = WebSocketTransport(transport, site.runtime.turn, site.wheel(mount))
        websocket.open(Client(site.runtime, socket, serializer, websocket))
        transport.set_protocol(websocket)
        if self._data:
            websocket.data_received(self._data)

    def _answer(self, status: HTTPStatus, body: str = "") -> None:
        if not self._transport.is_closing():
            self._transport.write(response(status, body))
            self._transport.close()
