"""An endpoint as an ASGI application, for those who stay with their own server: one process, without broker."""

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final

from roost.gateway.bus.local_bus import local_runtime
from roost.gateway.connect.admission import ask_application, is_admitted
from roost.gateway.connect.connecting import open_handler
from roost.gateway.connect.review import review
from roost.gateway.connect.socket_paths import SocketPaths
from roost.gateway.custom_transport import Transport
from roost.gateway.transports.handshake import Refused
from roost.gateway.transports.long_poll_request import LongPollRequest, read_request
from roost.shared.frames import CloseCode

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime
    from roost.gateway.connect.mount import Mount, WebSocket
    from roost.gateway.connect.socket_paths import Found
    from roost.gateway.endpoint import Endpoint

CLOSE_LIMIT: Final = 5.0
"""Seconds in which clients are told that the server goes."""

_log = logging.getLogger("roost.asgi")


class AsgiEndpoint:
    """Serves WebSockets for the endpoint's mounts; everything else goes to the endpoint's `app`, or is answered 404.

    It begins when the server's lifespan does, or with the first client if there is none.
    """

    def __init__(self, endpoint: "Endpoint", secrets: tuple[str, ...]) -> None:
        self._endpoint = endpoint
        self._secrets = secrets
        self._paths: SocketPaths[Mount] = SocketPaths(
            (mount.path + mount.websocket.path, mount) for mount in endpoint.mounts if mount.websocket is not None
        )
        self._runtime: Runtime | None = None
        self._beginning = asyncio.Lock()
        self._clients: set[AsgiTransport] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        kind = scope["type"]
        found = self._paths.find(_path(scope)) if kind == "websocket" else None
        if found is not None:
            await self._serve(found, scope, receive, send)
        elif kind == "lifespan":
            await self._live(scope, receive, send)
        elif self._endpoint.app is not None:
            await self._endpoint.app(scope, receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        else:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Not Found"})

    async def begin(self) -> "Runtime":
        """What channels run on; made when it is first needed."""
        async with self._beginning:
            if self._runtime is None:
                self._runtime = local_runtime(self._endpoint, self._secrets)
                await asyncio.gather(*(presence.start() for presence in self._runtime.presences))
        return self._runtime

    async def end(self) -> None:
        """Tell all clients to come again, and end."""
        for client in list(self._clients):
            client.close(CloseCode.SERVICE_RESTART)
        if self._clients:
            await asyncio.wait([client.gone for client in self._clients], timeout=CLOSE_LIMIT)
        if self._runtime is not None:
            await asyncio.gather(*(presence.close() for presence in self._runtime.presences))
            self._runtime.runner.close()
            self._runtime = None

    # The lifespan of the server, which an application of the endpoint's may have a part in

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        async def listen() -> Any:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.begin()
            else:
                await self.end()
            return message

        if self._endpoint.app is not None:
            await self._endpoint.app(scope, listen, send)
            return
        await listen()
        await send({"type": "lifespan.startup.complete"})
        await listen()
        await send({"type": "lifespan.shutdown.complete"})

    # One client

    async def _serve(self, found: "Found[Mount]", scope: Any, receive: Any, send: Any) -> None:
        mount = found.mount
        options = mount.over_websocket
        await receive()  # websocket.connect
        try:
            request = _request(scope)
            candidate = review(mount, found.params, request, request.around, self._endpoint.host)
            runtime = await self.begin()
            socket, verdict = await ask_application(runtime, mount, options, candidate)
        except Refused as refused:
            _log.info("refused: %s", refused.reason or refused.status.phrase)
            await send({"type": "websocket.close", "code": 1008})
            return
        if not is_admitted(socket, verdict):
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept", "subprotocol": candidate.subprotocol})
        transport = AsgiTransport(candidate.info.peer_data.address, options)
        self._clients.add(transport)
        try:
            # What handles a client's messages is not made within a task (see `Runner`).
            asyncio.get_running_loop().call_soon(
                lambda: transport.open(open_handler(runtime, socket, candidate.serializer, transport))
            )
            await transport.carry(receive, send)
        finally:
            self._clients.discard(transport)


class AsgiTransport(Transport):
    """A client's WebSocket as an ASGI server gives it."""

    name: ClassVar[str] = "asgi"

    def __init__(self, address: str, options: "WebSocket") -> None:
        super().__init__()
        self.address = address
        self.waiting = 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended."""
        self._options = options
        self._unsent: deque[dict[str, Any]] = deque()
        self._wakes = asyncio.Event()

    def deliver(self, data: str | bytes) -> None:
        self.waiting += len(data)
        if self.waiting > self._options.max_outbound_bytes and len(self._unsent) > 1:
            self._unsent.clear()
            self.close(CloseCode.TOO_SLOW, f"too slow: more than {self._options.max_outbound_bytes} bytes waited")
        elif isinstance(data, str):
            self._put({"type": "websocket.send", "text": data})
        else:
            self._put({"type": "websocket.send", "bytes": data})

    def closed(self, code: int, reason: str) -> None:
        self._put({"type": "websocket.close", "code": code, "reason": reason})

    async def carry(self, receive: Any, send: Any) -> None:
        """Carry messages both ways until the connection has ended."""
        receiving = asyncio.ensure_future(self._listen(receive))
        sending = asyncio.ensure_future(self._send(send))
        try:
            await asyncio.wait([receiving, sending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (receiving, sending):
                task.cancel()
            results = await asyncio.gather(receiving, sending, return_exceptions=True)
            self.lost()
            self.gone.set_result(None)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, OSError):
                raise result

    def _put(self, message: dict[str, Any]) -> None:
        self._unsent.append(message)
        self._wakes.set()

    async def _send(self, send: Any) -> None:
        while True:
            while self._unsent:
                message = self._unsent.popleft()
                self.waiting -= len(message.get("text") or message.get("bytes") or "")
                await send(message)
                if message["type"] == "websocket.close":
                    return
            self._wakes.clear()
            await self._wakes.wait()

    async def _listen(self, receive: Any) -> None:
        while True:
            await self.may_read.wait()
            try:
                async with asyncio.timeout(self._options.timeout):
                    message = await receive()
            except TimeoutError:
                self.close(CloseCode.PROTOCOL_ERROR)
                continue
            if message["type"] == "websocket.disconnect":
                return
            text, data = message.get("text"), message.get("bytes")
            size = len(data if text is None else text.encode())
            if size > self._options.max_frame_size:
                self.close(CloseCode.TOO_BIG)
            else:
                self.received(data if text is None else text)


def _request(scope: Any) -> LongPollRequest:
    """A WebSocket's scope as a request: it has no method, which is GET, and the schemes ws and wss."""
    request = read_request({**scope, "method": "GET", "raw_path": _path(scope).encode("latin-1")})
    return request._replace(around=request.around._replace(secure=scope["scheme"] == "wss"))


def _path(scope: Any) -> str:
    """The path below where the application is mounted, with its escapes."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    path = raw.partition(b"?")[0].decode("latin-1")
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))
