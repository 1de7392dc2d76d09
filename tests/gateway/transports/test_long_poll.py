"""Long-poll requests that are not finished."""

import asyncio
from typing import Any

import pytest

from roost.gateway.connect.capacity import Capacity
from roost.gateway.connect.site import Site
from roost.gateway.endpoint import Endpoint
from roost.gateway.socket import Socket
from roost.gateway.transports import long_poll
from roost.gateway.transports.long_poll_address import new_address, sign_address
from roost.shared.limits import Limits
from tests.gateway.lone_worker import lone_worker
from tests.gateway.loops import Play
from tests.limits import LIMIT

SECRET = "abcdefgh" * 8


def post(token: str) -> dict[str, Any]:
    """The ASGI scope of a POST."""
    return {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "raw_path": b"/socket/longpoll",
        "query_string": f"vsn=2.0.0&token={token}".encode(),
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 4000),
    }


def test_a_body_that_does_not_come_is_not_waited_for(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_poll, "BODY_LIMIT", 0.05)
    pieces = [{"type": "http.request", "body": b"[", "more_body": True}]

    async def receive() -> Any:
        return pieces.pop() if pieces else await asyncio.Event().wait()

    async def scene() -> None:
        endpoint = Endpoint()
        endpoint.mount("/socket", Socket, longpoll=True)
        with lone_worker(endpoint) as runtime:
            endpoint.serve(runtime, (SECRET,), "localhost")
            site = Site(endpoint, runtime, Capacity(Limits(), 100))
            sent: list[Any] = []

            async def send(message: Any) -> None:
                sent.append(message)

            token = sign_address(endpoint, "/socket", new_address("local", 1, 1), 60)
            await asyncio.wait_for(site(post(token), receive, send), LIMIT)
            start = sent[0]
            assert start["status"] == 408
            assert (b"connection", b"close") in start["headers"]

    play(scene)
