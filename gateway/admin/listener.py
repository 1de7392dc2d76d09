"""The admin listener: a small HTTP server of the gateway's own, on loopback, for operators and what they run."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config

from roost.gateway.admin.api.access import API
from roost.gateway.admin.exposition import write_page
from roost.gateway.admin.guard import Refusal, wrong_host, wrong_token
from roost.gateway.bus.local_bus import local_runtime
from roost.gateway.connect.capacity import Capacity
from roost.gateway.connect.site import Site
from roost.gateway.endpoint import Endpoint
from roost.gateway.processes.addresses import Address, listener
from roost.gateway.transports.server import HostedServer
from roost.shared.frames import CloseCode
from roost.shared.limits import Limits
from roost.shared.measurements import NodeMeasurements

HOST: Final = "localhost"
"""Where it listens, and nowhere else: a tunnel or a proxy brings it to others."""
MAX_CONNECTIONS: Final = 64
"""Connections beyond so many are answered 503."""
OPEN_PATHS: Final = ("/health", "/ready")
"""These want no token: they tell what a connection tells anyhow, and probes have no secrets."""

_log = logging.getLogger("roost.gateway")


class Guard:
    """Lets in who asks for this machine by its name and shows the token."""

    def __init__(self, app: ASGIApp, token: str, open_paths: Collection[str]) -> None:
        self._app = app
        self._token = token
        self._open_paths = frozenset((*OPEN_PATHS, *open_paths))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        app = self._app if refusal is None else _refuse(refusal)
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        if refusal := wrong_host(headers.get("host", "")):
            return refusal
        if scope["path"] in self._open_paths or scope["path"].startswith(API):
            return None  # the API knows its callers itself
        given = QueryParams(scope["query_string"]).get("token", "")
        return wrong_token(headers.get("authorization", ""), given, self._token)


def admin_app(
    token: str,
    measure: Callable[[], Awaitable[NodeMeasurements]],
    why_not_ready: Callable[[], str],
    routes: Sequence[BaseRoute] = (),
    open_paths: Collection[str] = (),
) -> ASGIApp:
    """What is served. `why_not_ready` answers a sentence, an empty one if clients are taken; `routes` are further ones.

    All stand behind the token but OPEN_PATHS and the `open_paths` of the further ones.
    """

    async def metrics(request: Request) -> Response:
        page, content_type = write_page(await measure(), request.headers.get("accept", ""))
        return Response(page, media_type=content_type)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        why = why_not_ready()
        if why:
            return JSONResponse({"status": "not ready", "reason": why}, 503)
        return JSONResponse({"status": "ready"})

    own = [Route("/metrics", metrics), Route("/health", health), Route("/ready", ready)]
    return Guard(Starlette(routes=[*own, *routes]), token, open_paths)


class AdminListener:
    """Serves an endpoint for operators until it is closed: its HTTP, and its sockets by a bus of this process alone."""

    def __init__(self, endpoint: Endpoint, addresses: Sequence[Address]) -> None:
        self._runtime = local_runtime(endpoint)
        site = Site(endpoint, self._runtime, Capacity(Limits(MAX_CONNECTIONS), MAX_CONNECTIONS))
        config = Config(
            site,
            http=site.entrance,  # type: ignore[arg-type]
            ws=site.upgrade,  # type: ignore[arg-type]
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._addresses = addresses
        self._server = HostedServer(config, lambda: None)
        self._serving: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin to serve."""
        listeners = [listener(address) for address in self._addresses]
        self._serving = asyncio.ensure_future(self._server.serve(listeners))
        self._serving.add_done_callback(_ended)

    async def stop(self) -> None:
        """Finish the requests under way, for a second at most; sockets are told to come again."""
        for client in list(self._runtime.clients.values()):
            client.transport.close(CloseCode.SERVICE_RESTART)
        self._server.stop()
        if self._serving is not None:
            await asyncio.wait([self._serving])


def _ended(serving: "asyncio.Future[None]") -> None:
    """The node does not need this listener: if it fails, the rest goes on."""
    if not serving.cancelled() and (error := serving.exception()) is not None:
        _log.error("metrics, health and the dashboard are served no longer", exc_info=error)


def _refuse(refusal: Refusal) -> ASGIApp:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
    return PlainTextResponse(refusal.sentence + "\n", refusal.status, headers)
