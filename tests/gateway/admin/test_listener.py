"""The admin listener on a real socket: what it serves, to whom, and what may be added to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from roost.gateway.admin.listener import HOST, AdminListener, admin_app
from roost.gateway.endpoint import Endpoint
from roost.gateway.processes.addresses import Reservation
from roost.shared.measurements import NodeMeasurements
from tests.e2e.http import request
from tests.gateway.admin.node import NODE

TOKEN = "9t0k3n-_"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def measure() -> NodeMeasurements:
    return NODE


async def topics(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"topics of {request.url.path}")


@asynccontextmanager
async def listening(why_not_ready: str = "") -> AsyncIterator[int]:
    """The port of a listener."""
    app = admin_app(TOKEN, measure, lambda: why_not_ready, [Route("/topics", topics)])
    with Reservation(HOST, 0) as reserved:
        listener = AdminListener(Endpoint(app=app), reserved.addresses)
        listener.start()
        port = reserved.addresses[0][1]
        while True:  # until it listens
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0)
        try:
            yield port
        finally:
            await listener.stop()


async def test_metrics_for_whoever_has_the_token() -> None:
    async with listening() as port:
        for target, headers in (("/metrics", BEARER), (f"/metrics?token={TOKEN}", {})):
            response = await request(port, target, headers)
            assert response.status == 200
            assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert b'roost_connections{worker="0"} 3.0' in response.body
        openmetrics = await request(port, "/metrics", BEARER | {"Accept": "application/openmetrics-text"})
        assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert openmetrics.body.endswith(b"# EOF\n")


async def test_nobody_else_gets_them_from_wherever_they_come() -> None:
    async with listening() as port:
        forwarded = {"X-Forwarded-For": "127.0.0.1"}
        for headers in ({}, forwarded, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {TOKEN}"}):
            refused = await request(port, "/metrics", headers)
            assert refused.status == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert b"admin_token" in refused.body
        assert (await request(port, "/metrics?token=wrong")).status == 401


async def test_a_page_under_another_name_gets_nothing() -> None:
    async with listening() as port:
        for target in ("/metrics", "/health", "/ready", "/topics"):
            assert (await request(port, target, BEARER | {"Host": f"rebound.example:{port}"})).status == 421


async def test_health_and_readiness_need_no_token() -> None:
    async with listening() as port:
        assert (await request(port, "/health")).body == b'{"status":"alive"}'
        assert (await request(port, "/ready")).body == b'{"status":"ready"}'
    async with listening("there is no broker") as port:
        assert (await request(port, "/health")).status == 200
        response = await request(port, "/ready")
        assert (response.status, response.body) == (503, b'{"status":"not ready","reason":"there is no broker"}')


async def test_further_routes_stand_behind_the_same_guard() -> None:
    async with listening() as port:
        assert (await request(port, "/topics")).status == 401
        assert (await request(port, "/topics", BEARER)).body == b"topics of /topics"
        assert (await request(port, "/nothing", BEARER)).status == 404
        assert (await request(port, "/metrics", BEARER, method="POST")).status == 405
