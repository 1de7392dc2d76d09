"""The hosted server: what the kernel has queued when it stops accepting is served, what comes later is not."""

import asyncio
import socket
from typing import Any, cast

import pytest
from uvicorn import Config

from roost.gateway.processes.addresses import Reservation, listener
from roost.gateway.transports.server import HostedServer
from tests.gateway.loops import Play
from tests.limits import LIMIT

QUEUED = 20


class Greeter(asyncio.Protocol):
    """Says hello to whoever connects."""

    def __init__(self, server_state: Any, **_: Any) -> None:
        self._connections: set[Greeter] = server_state.connections  # as uvicorn's own do
        self._connections.add(self)

    def shutdown(self) -> None:
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"hello")


async def app(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


def test_what_is_queued_when_it_stops_accepting_is_served(play: Play) -> None:
    async def scene() -> None:
        with Reservation("127.0.0.1", 0) as reservation:
            (address,) = reservation.addresses
            serves = asyncio.Event()
            config = Config(app, http=Greeter, interface="asgi3", lifespan="off", log_config=None)
            server = HostedServer(config, serves.set)
            serving = asyncio.ensure_future(server.serve([listener(address)]))
            await asyncio.wait_for(serves.wait(), LIMIT)

            # The kernel connects these while the loop does something else: nobody has accepted them yet.
            queued = [socket.create_connection(address, LIMIT) for _ in range(QUEUED)]
            server.stop_accepting()
            assert not server.serving
            assert len(server.arriving) == QUEUED
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, LIMIT)
            for client in queued:
                with client:
                    assert await asyncio.to_thread(client.recv, 100) == b"hello"

            server.stop_accepting()  # again: nothing happens
            server.stop()
            await asyncio.wait_for(serving, LIMIT)

    play(scene)


def test_one_that_is_stopped_before_it_serves_ends(play: Play) -> None:
    async def scene() -> None:
        with Reservation("127.0.0.1", 0) as reservation:
            config = Config(app, http=Greeter, interface="asgi3", lifespan="off", log_config=None)
            server = HostedServer(config, lambda: None)
            server.stop_accepting()
            server.stop()
            await asyncio.wait_for(server.serve([listener(reservation.addresses[0])]), LIMIT)

    play(scene)
