"""An application that tells every client whom it takes it for: in channels, polls, pages and a WebSocket of its own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket as StarletteWebSocket

from roost import Channel, ConnectInfo, Endpoint, LongPoll, Ok, Socket


class SeenSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok:
        peer = info.peer_data
        self.seen = {"peer": [peer.address, peer.port], "uri": f"{info.uri.scheme}:{info.uri.port}"}
        return Ok()


class SeenChannel(Channel[SeenSocket]):
    async def join(self, params: Any) -> Ok:
        return Ok(self.socket.seen)


SeenSocket.route("seen", SeenChannel)

waits = asyncio.Event()


def seen(connection: Request | StarletteWebSocket) -> dict[str, Any]:
    return {"peer": list(connection.client or ()), "scheme": connection.url.scheme}


async def page(request: Request) -> JSONResponse:
    return JSONResponse(seen(request))


async def slow_page(request: Request) -> StreamingResponse:
    """Begins its answer, and ends it when another request asks for `/go`."""

    async def parts() -> AsyncIterator[str]:
        yield "begun"
        await waits.wait()
        waits.clear()
        yield "ended"

    return StreamingResponse(parts())


async def go(request: Request) -> JSONResponse:
    waits.set()
    return JSONResponse({})


async def own_websocket(websocket: StarletteWebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(seen(websocket))
    await websocket.receive()


routes = [Route("/page", page), Route("/slow", slow_page), Route("/go", go), WebSocketRoute("/own", own_websocket)]
endpoint = Endpoint(app=Starlette(routes=routes), check_origin="conn")
endpoint.mount("/socket", SeenSocket, longpoll=LongPoll(window=2.0))
