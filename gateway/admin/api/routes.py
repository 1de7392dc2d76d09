"""The routes of the HTTP API: each reads a request, asks the node, and answers JSON. No decisions here."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from roost.gateway.admin.api.access import May
from roost.gateway.admin.api.document import Topics, TopicSubscribers, openapi
from roost.gateway.admin.api.requests import (
    MAX_BODY_BYTES,
    BadRequest,
    read_broadcast,
    read_limit,
    read_name,
)
from roost.gateway.admin.guard import bearer
from roost.gateway.admin.topic_search import Search, TopicSearch
from roost.gateway.bus.outside import KeyTaken
from roost.shared.acting import Broadcasted, BroadcastEvents, Disconnected, DisconnectSockets
from roost.shared.inspection import AskPresences, AskSubscribers, Presences, Subscribers
from roost.shared.link import Refused

Rights = Callable[[str], frozenset[May] | None]
"""What a token is for; None if it is none of ours, or has expired."""


class AsksNode(Protocol):
    """Whoever asks the node."""

    async def ask(self, question: Any) -> Any:
        """The answer of the workers together. Raises Refused."""


class TooLarge(Exception):
    """A body has more bytes than are read."""


def api_routes(
    node: AsksNode,
    search: TopicSearch,
    publish: Callable[[BroadcastEvents], Awaitable[Broadcasted]],
    rights: Rights,
) -> list[BaseRoute]:
    """All of them."""

    async def broadcast(request: Request) -> Any:
        return await publish(read_broadcast(await _body(request), request.headers.get("idempotency-key")))

    async def disconnect(request: Request) -> Any:
        answer: Disconnected = await node.ask(DisconnectSockets(read_name(await _body(request))))
        return answer

    async def topics(request: Request) -> Any:
        prefix = request.query_params.get("prefix", "")
        found = await search.find(Search(prefix, "subscribers", limit=_limit(request)))
        return Topics(found.total, list(found.topics), found.complete, list(found.silent))

    async def subscribers(request: Request) -> Any:
        found: Subscribers = await node.ask(AskSubscribers(_topic(request), _limit(request)))
        return TopicSubscribers(found.total, list(found.subscribers), list(found.silent))

    async def presences(request: Request) -> Any:
        found: Presences = await node.ask(AskPresences(_topic(request), _limit(request)))
        return found

    async def document(_: Request) -> Any:
        return openapi()

    wanted = (
        ("POST", "/api/broadcast", broadcast, May.BROADCAST),
        ("POST", "/api/disconnect", disconnect, May.DISCONNECT),
        ("GET", "/api/topics", topics, May.READ),
        ("GET", "/api/subscribers", subscribers, May.READ),
        ("GET", "/api/presences", presences, May.READ),
        ("GET", "/api/openapi.json", document, None),
    )
    return [Route(path, _serve(handle, right, rights), methods=[method]) for method, path, handle, right in wanted]


def _serve(
    handle: Callable[[Request], Awaitable[Any]], right: May | None, rights: Rights
) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        allowed = rights(bearer(request.headers.get("authorization", "")) or "")
        if allowed is None:
            return _problem(HTTPStatus.UNAUTHORIZED, "show a token as `Authorization: Bearer TOKEN` (roost api-token)")
        if right is not None and right not in allowed:
            return _problem(HTTPStatus.FORBIDDEN, f"this token is not for {right.value}")
        try:
            return _json(HTTPStatus.OK, await handle(request))
        except BadRequest as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        except TooLarge:
            return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {MAX_BODY_BYTES} bytes")
        except KeyTaken as error:
            return _problem(HTTPStatus.CONFLICT, str(error))
        except Refused as error:
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    return serve


async def _body(request: Request) -> bytes:
    """Raises TooLarge, without reading more than is allowed."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge
    return bytes(body)


def _topic(request: Request) -> str:
    """Raises BadRequest."""
    topic = request.query_params.get("topic", "")
    if not topic:
        raise BadRequest("the query names no topic")
    return topic


def _limit(request: Request) -> int:
    """Raises BadRequest."""
    return read_limit(request.query_params.get("limit"))


def _problem(status: HTTPStatus, text: str) -> Response:
    return _json(status, {"error": text})


def _json(status: HTTPStatus, value: Any) -> Response:
    headers = {"www-authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
