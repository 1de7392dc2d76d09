"""The first protocol of every connection: looks at the request's head and decides whose it is.

A request for the path of a mounted socket is ours. Everything else goes to uvicorn, byte by byte as it came, and so to
the application's own ASGI app, its WebSocket routes included.
"""

import asyncio
import logging
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from roost.gateway.connect.admission import ask_application, is_admitted, refuse
from roost.gateway.connect.capacity import RETRY_AFTER
from roost.gateway.connect.connect_info import PeerData
from roost.gateway.connect.connecting import open_handler
from roost.gateway.connect.review import Surroundings, review
from roost.gateway.transports.compressed_websocket import CompressedWebSocket
from roost.gateway.transports.compression import accept_offer
from roost.gateway.transports.handshake import MAX_HEAD_BYTES, BadRequest, Refused, RequestHead, response, target_path
from roost.gateway.transports.websocket import WebSocketTransport
from roost.shared.serializer import compressed

if TYPE_CHECKING:
    from roost.gateway.connect.capacity import Place
    from roost.gateway.connect.mount import Mount
    from roost.gateway.connect.review import Candidate
    from roost.gateway.connect.site import Site
    from roost.gateway.connect.socket_paths import Found
    from roost.gateway.raw_socket import RawSocket
    from roost.gateway.socket import Socket

    AnySocket = Socket | RawSocket

_END_OF_HEAD: Final = b"\r\n\r\n"

_COME_AGAIN: Final = f"retry-after: {RETRY_AFTER}\r\n"

_log = logging.getLogger("roost.entrance")


class Entrance(asyncio.Protocol):
    """One connection until it is known whose it is; if it is ours, until the handshake is done."""

    __slots__ = ("_data", "_deciding", "_peer", "_place", "_proxied", "_site", "_transport", "_upgrading", "heard")

    def __init__(self, site: "Site", *, upgrading: bool) -> None:
        """`upgrading`: the connection had other requests before, so uvicorn has read the head and hands it over."""
        self._site = site
        self._upgrading = upgrading
        self._transport: asyncio.Transport
        self._peer: tuple[str, int] | None = None
        self._place: Place | None = None
        self._proxied = False
        """Whether the peer is a proxy that is believed."""
        self._data = b""
        self._deciding = False
        self.heard = 0.0

    # Told by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = self._peer = transport.get_extra_info("peername")
        proxies = self._site.proxies
        self._proxied = proxies is not None and peer is not None and peer[0] in proxies
        self._place = self._site.capacity.enter(None if self._proxied else peer[0] if peer else "")
        if self._place is None:
            self._transport.abort()
        else:
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
        if self._place is not None:
            self._place.leave()

    def silent(self) -> None:
        """The request's head has not come in time."""
        self._answer(HTTPStatus.REQUEST_TIMEOUT)

    # Whose it is

    def _decide(self) -> None:
        self._site.entrances.remove(self)
        data = self._data
        place = self._place
        if place is None:
            return
        if place.refusal is not None:
            self._send(response(place.refusal, more=_COME_AGAIN))
            return
        if data.find(_END_OF_HEAD) > MAX_HEAD_BYTES:
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        path = target_path(data)
        if self._site.turns_away(path):
            self._send_elsewhere()
            return
        found = self._site.find(path)
        if found is not None:
            self._handshake(found)
            return
        if not self._site.serves_http:
            self._answer(HTTPStatus.NOT_FOUND, "" if data.startswith(b"HEAD ") else "Not Found")
            return
        if self._proxied and self._upgrading and self._surroundings(self._read(data)) is None:
            return
        successor = self._site.uvicorn_protocol(place, upgrading=self._upgrading)
        successor.connection_made(self._transport)
        self._transport.set_protocol(successor)
        successor.data_received(data)

    # Ours

    def _handshake(self, found: "Found[Mount]") -> None:
        head, _, rest = self._data.partition(_END_OF_HEAD)
        request = self._read(head + _END_OF_HEAD)
        self._data = rest
        around = self._surroundings(request)
        if request is not None and around is not None:
            coming = self._admit(found, request, around)
            self._site.runtime.runner.run(coming, None, partial(self._admitted, found.mount, request))

    def _read(self, head: bytes) -> RequestHead | None:
        """None if it is no request, and was answered so."""
        try:
            return RequestHead(head)
        except BadRequest as error:
            self._answer(HTTPStatus.BAD_REQUEST, str(error))
            return None

    def _surroundings(self, request: RequestHead | None) -> Surroundings | None:
        """None if the client is gone already, or was turned away."""
        transport = self._transport
        peer = self._peer
        here = transport.get_extra_info("sockname")
        if request is None or peer is None or here is None:
            return None
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        around = Surroundings(PeerData(peer[0], peer[1], certificate), tls is not None, here[0], here[1])
        return self._behind_proxy(request, around) if self._proxied else around

    def _behind_proxy(self, request: RequestHead, around: Surroundings) -> Surroundings | None:
        """As the client sees it that a proxy speaks for; None if its address has too many connections."""
        proxies, place = self._site.proxies, self._place
        assert proxies is not None
        assert place is not None
        client = proxies.client(around.peer, around.secure, request.headers.get_all)
        place.assign(client.peer.address)
        if place.refusal is not None:
            self._send(response(place.refusal, more=_COME_AGAIN))
            return None
        return around._replace(peer=client.peer, secure=client.secure)

    async def _admit(
        self, found: "Found[Mount]", request: RequestHead, around: Surroundings
    ) -> "tuple[Candidate, AnySocket, Any]":
        """Ask the application about a client that nothing else speaks against. Raises Refused."""
        runtime = self._site.runtime
        mount = found.mount
        candidate = review(mount, found.params, request, around, runtime.endpoint.host)
        return candidate, *await ask_application(runtime, mount, mount.over_websocket, candidate)

    def _admitted(self, mount: "Mount", request: RequestHead, value: Any, error: BaseException | None) -> None:
        if self._transport.is_closing():
            return
        if isinstance(error, Refused):
            self._refuse(error)
        elif error is not None:
            _log.error("%s crashed in connect", mount.socket.__name__, exc_info=error)
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR)
        else:
            candidate, socket, verdict = value
            if is_admitted(socket, verdict):
                self._upgrade(mount, request, candidate, socket)
            else:
                self._send(refuse(socket, verdict))

    def _upgrade(self, mount: "Mount", request: RequestHead, candidate: "Candidate", socket: "AnySocket") -> None:
        site = self._site
        if site.closed:
            self._send_elsewhere()
            return
        options = mount.over_websocket
        compression = accept_offer(request.headers) if options.compress else None
        try:
            accepted = site.judge.accept(request, candidate.subprotocol, compression)
        except Refused as refused:
            self._refuse(refused)
            return
        transport = self._transport
        transport.write(accepted)
        websocket = (CompressedWebSocket if compression else WebSocketTransport)(
            transport,
            site.runtime.turn,
            site.idle_wheel(options.timeout),
            site.runtime.drops,
            options.max_outbound_bytes,
            options.max_frame_size,
            self._place,
        )
        serializer = candidate.serializer
        if compression and serializer is not None:
            serializer = compressed(serializer)
        websocket.open(open_handler(site.runtime, socket, serializer, websocket))
        transport.set_protocol(websocket)
        if self._data:
            websocket.data_received(self._data)

    # Answers

    def _send_elsewhere(self) -> None:
        """The worker is drained, perhaps while the application was being asked."""
        self._send(response(HTTPStatus.SERVICE_UNAVAILABLE, more=_COME_AGAIN))

    def _refuse(self, refused: Refused) -> None:
        if refused.reason:
            _log.warning("refused: %s", refused.reason)
        again = "" if refused.retry_after is None else f"retry-after: {refused.retry_after}\r\n"
        self._send(response(refused.status, refused.body, more=again))

    def _answer(self, status: HTTPStatus, body: str = "") -> None:
        self._send(response(status, body))

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)
            self._transport.close()
