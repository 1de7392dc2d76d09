"""The routes of the HTTP API: each reads a request, asks the node, and answers JSON. No decisions here."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, Protocol

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
from roost.gateway.outside import KeyTaken
from roost.shared.acting import Broadcasted, BroadcastEvents, Disconnected, DisconnectSockets
from roost.shared.inspection import AskPresences, AskSubscribers, Presences, Subscribers, TopicCount, TopicPages
from roost.shared.link import Refused
from roost.shared.topic_walk import TopicWalk

RIGHTS: Final = "roost.rights"
"""Where the guard puts what the token is for, in the scope of a request."""


class AsksNode(Protocol):
    """Whoever asks the node."""

    async def ask(self, question: Any) -> Any:
        """The answer of the workers together. Raises Refused."""

    async def ask_broker(self, question: Any, answer: Any) -> Any:
        """The broker's answer. Raises Refused."""


class TooLarge(Exception):
    """A body has more bytes than are read."""


def api_routes(node: AsksNode, publish: Callable[[BroadcastEvents], Awaitable[Broadcasted]]) -> list[BaseRoute]:
    """All of them."""

    async def broadcast(request: Request) -> Any:
        return await publish(read_broadcast(await _body(request), request.headers.get("idempotency-key", "")))

    async def disconnect(request: Request) -> Any:
        answer: Disconnected = await node.ask(DisconnectSockets(read_name(await _body(request))))
        return answer

    async def topics(request: Request) -> Any:
        walk = TopicWalk(request.query_params.get("prefix", ""))
        limit = read_limit(request.query_params.get("limit"))
        while question := walk.question:
            walk.take(await node.ask_broker(question, TopicPages))
        counts = sorted(walk.subscribers().items(), key=lambda item: (-item[1], item[0]))
        return Topics(len(counts), [TopicCount(*item) for item in counts[:limit]], list(walk.silent))

    async def subscribers(request: Request) -> Any:
        found: Subscribers = await node.ask(AskSubscribers(_topic(request), _limit(request)))
        return TopicSubscribers(found.total, list(found.subscribers), list(found.silent))

    async def presences(request: Request) -> Any:
        found: Presences = await node.ask(AskPresences(_topic(request), _limit(request)))
        return found

    async def document(_: Request) -> Any:
        return openapi()

    return [
        _route("POST", "/api/broadcast", broadcast, May.BROADCAST),
        _route("POST", "/api/disconnect", disconnect, May.DISCONNECT),
        _route("GET", "/api/topics", topics, May.READ),
        _route("GET", "/api/subscribers", subscribers, May.READ),
        _route("GET", "/api/presences", presences, May.READ),
        _route("GET", "/api/openapi.json", document, None),
    ]


def _route(method: str, path: str, handle: Callable[[Request], Awaitable[Any]], right: May | None) -> Route:
    async def serve(request: Request) -> Response:
        if right is not None and right not in request.scope[RIGHTS]:
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

    return Route(path, serve, methods=[method])


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
    return Response(msgspec.json.encode(value), status, media_type="application/json")
