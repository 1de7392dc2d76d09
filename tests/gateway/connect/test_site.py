"""Connections that become WebSockets: nothing of uvicorn is left of them."""

import asyncio
import gc
import socket
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from roost import Endpoint, Ok, Socket
from roost.gateway.connect.capacity import Capacity
from roost.gateway.connect.site import Site
from roost.gateway.processes.addresses import Reservation, listener
from roost.gateway.transports.server import HostedServer
from roost.shared.limits import Limits
from tests.gateway.lone_worker import lone_worker
from tests.gateway.loops import Play
from tests.limits import LIMIT
from tests.load.wire import handshake

CLIENTS = 5
GET = b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"


class AnySocket(Socket):
    async def connect(self, params: Any, info: Any) -> Ok:
        return Ok()


async def page(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


async def answer(client: socket.socket, request: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, request)
    return await asyncio.wait_for(loop.sock_recv(client, 1000), LIMIT)


def uvicorns(config: Config) -> int:
    """How many connections of this server uvicorn has; those of tests before may not be collected yet."""
    return sum(isinstance(each, HttpToolsProtocol) and each.config is config for each in gc.get_objects())


@pytest.mark.parametrize("pages_before", [0, 1])
def test_of_an_upgraded_connection_nothing_of_uvicorn_is_left(play: Play, pages_before: int) -> None:
    async def scene() -> None:
        endpoint = Endpoint(app=page, check_origin=False)
        endpoint.mount("/socket", AnySocket)
        with lone_worker(endpoint) as runtime, Reservation("127.0.0.1", 0) as reservation:
            (address,) = reservation.addresses
            site = Site(endpoint, runtime, Capacity(Limits(), 100))
            serves = asyncio.Event()
            config = Config(
                site,
                http=site.entrance,  # type: ignore[arg-type]
                ws=site.upgrade,  # type: ignore[arg-type]
                interface="asgi3",
                lifespan="off",
                log_config=None,
            )
            server = HostedServer(config, serves.set)
            serving = asyncio.ensure_future(server.serve([listener(address)]))
            await asyncio.wait_for(serves.wait(), LIMIT)
            clients = [socket.create_connection(address, LIMIT) for _ in range(CLIENTS)]
            for client in clients:
                client.settimeout(0)
                for _ in range(pages_before):
                    assert (await answer(client, GET)).startswith(b"HTTP/1.1 200")
            assert uvicorns(config) == CLIENTS * pages_before
            for client in clients:
                upgraded = await answer(client, handshake(*address[:2], "/socket/websocket?vsn=2.0.0"))
                assert upgraded.startswith(b"HTTP/1.1 101")
            gc.collect()
            assert (len(runtime.clients), uvicorns(config)) == (CLIENTS, 0)
            for client in clients:
                client.close()
            server.stop()
            await asyncio.wait_for(serving, LIMIT)

    play(scene)
