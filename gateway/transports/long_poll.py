"""Long-poll requests: for clients that get no WebSocket through, the same channels by GET and POST, as in Phoenix 1.8.

Whatever is said to the client stands in the body's `status`, with the HTTP status 200. So 410 means two things: that a
session has begun (with the token that comes along), or that the one that was asked for is gone.
"""

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from roost.gateway.connect.admission import ask_application, is_admitted, refuse
from roost.gateway.connect.capacity import RETRY_AFTER
from roost.gateway.connect.review import read_params
from roost.gateway.transports.handshake import Refused
from roost.gateway.transports.long_poll_address import read_address, sign_address
from roost.gateway.transports.long_poll_messages import MAX_BODY_BYTES, BadBatch, answer, read_body
from roost.gateway.transports.long_poll_request import check_page, presented_token, read_request, review_poll
from roost.gateway.transports.long_poll_sessions import LongPollSessions

if TYPE_CHECKING:
    from roost.gateway.connect.mount import LongPoll, Mount
    from roost.gateway.connect.review import Candidate
    from roost.gateway.connect.site import Site
    from roost.gateway.connect.socket_paths import Found
    from roost.gateway.transports.idle_wheel import IdleWheel
    from roost.gateway.transports.long_poll_address import SessionAddress
    from roost.gateway.transports.long_poll_request import LongPollRequest
    from roost.gateway.transports.long_poll_session import LongPollSession
    from roost.gateway.transports.long_poll_sessions import PollName

BODY_LIMIT: Final = 30.0
"""Seconds that the body of a POST may take; phoenix.js waits for 20. Then it is answered 408, by HTTP's own status."""
INACTIVE_WINDOWS: Final = 1.5
"""So many windows without a poll, and a session ends."""
_ANY_PAGE: Final = {"access-control-allow-origin": "*"}
_JSON: Final = _ANY_PAGE | {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}

_log = logging.getLogger("roost.longpoll")


class LongPolling:
    """Serves the long-poll paths of one worker."""

    def __init__(self, site: "Site") -> None:
        self._site = site
        self._runtime = site.runtime
        self._sessions = LongPollSessions(site.runtime)
        self._waiting: dict[PollName, SessionAddress] = {}
        """Polls that arrived here and wait, wherever their session is."""

    def leave(self) -> None:
        """The worker leaves: have polls answered, so that their clients ask another worker the next time."""
        for name, address in self._waiting.items():
            self._sessions.end_poll(address, name)

    async def serve(self, found: "Found[Mount]", scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        mount = found.mount
        assert mount.longpoll is not None
        request = read_request(scope)
        try:
            response = await self._respond(mount, mount.longpoll, found.params, request, receive)
        except Refused as refused:
            response = _refused(refused)
        if response is not None:
            if self._site.leaving:
                response.headers["connection"] = "close"
            await response(scope, receive, send)

    async def _respond(
        self, mount: "Mount", options: "LongPoll", path_params: dict[str, str], request: "LongPollRequest", receive: Any
    ) -> Response | None:
        params = read_params(request, path_params)
        check_page(mount, request, self._runtime.endpoint.host)
        match request.method:
            case "OPTIONS":
                return _preflight(request)
            case "GET":
                address = read_address(self._runtime.endpoint, mount.path, presented_token(request, params))
                if address is None:
                    return await self._begin(mount, options, params, request)
                return await self._poll(mount, options, params, request, address, receive)
            case "POST":
                address = read_address(self._runtime.endpoint, mount.path, presented_token(request, params))
                return (
                    _json(HTTPStatus.GONE) if address is None else await self._post(options, request, address, receive)
                )
        return Response(status_code=HTTPStatus.BAD_REQUEST, headers=_ANY_PAGE)

    # A session begins

    async def _begin(
        self, mount: "Mount", options: "LongPoll", params: dict[str, Any], request: "LongPollRequest"
    ) -> Response:
        if self._site.leaving:
            return _come_again(HTTPStatus.SERVICE_UNAVAILABLE)
        candidate = review_poll(mount, options, params, request)
        place = self._site.capacity.enter(request.around.peer.address)
        if place is None:
            return _come_again(HTTPStatus.SERVICE_UNAVAILABLE)
        if place.refusal is not None:
            place.leave()
            return _come_again(place.refusal)
        try:
            address = await self._let_in(mount, options, candidate, place)
        except Refused:
            place.leave()
            raise
        except Exception as error:  # noqa: BLE001 - the application's crash ends here
            _log.error("%s crashed in connect", mount.socket.__name__, exc_info=error)
            place.leave()
            return Response(status_code=HTTPStatus.INTERNAL_SERVER_ERROR, headers=_ANY_PAGE)
        if address is None:
            place.leave()
            return _json(HTTPStatus.FORBIDDEN)
        return _json(HTTPStatus.GONE, sign_address(self._runtime.endpoint, mount.path, address, options.max_age))

    async def _let_in(
        self, mount: "Mount", options: "LongPoll", candidate: "Candidate", place: Any
    ) -> "SessionAddress | None":
        socket, verdict = await ask_application(self._runtime, mount, options, candidate)
        if not is_admitted(socket, verdict):
            refuse(socket, verdict)
            return None
        return self._sessions.open(options, self._wheel(options), socket, candidate.serializer, place)

    def _wheel(self, options: "LongPoll") -> "IdleWheel[LongPollSession]":
        return self._site.idle_wheel(INACTIVE_WINDOWS * options.window)

    # A session goes on

    async def _poll(
        self,
        mount: "Mount",
        options: "LongPoll",
        params: dict[str, Any],
        request: "LongPollRequest",
        address: "SessionAddress",
        receive: Any,
    ) -> Response | None:
        name = self._sessions.name_poll()
        polling = asyncio.ensure_future(self._sessions.poll(address, name, options))
        leaving = asyncio.ensure_future(_client_leaves(receive))
        self._waiting[name] = address
        try:
            await asyncio.wait({polling, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not polling.done():
                self._sessions.end_poll(address, name)
                return None
        finally:
            del self._waiting[name]
            polling.cancel()
            leaving.cancel()
        messages = polling.result()
        if messages is None:
            return await self._begin(mount, options, params, request)
        return _json(HTTPStatus.OK if messages else HTTPStatus.NO_CONTENT, presented_token(request, params), messages)

    async def _post(
        self, options: "LongPoll", request: "LongPollRequest", address: "SessionAddress", receive: Any
    ) -> Response | None:
        try:
            async with asyncio.timeout(BODY_LIMIT):
                body = await _read_body(receive)
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, f"a body comes within {BODY_LIMIT:g} s") from None
        if body is None:
            return None
        try:
            messages = read_body(body, request.header("content-type") or "")
        except BadBatch as error:
            await self._sessions.end(address, options)
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        return _json(await self._sessions.post(address, messages, options))


async def _client_leaves(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_body(receive: Any) -> bytes | None:
    """The body of a POST; None if the client has left. Raises Refused."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise Refused(HTTPStatus.BAD_REQUEST, f"a body has at most {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _json(status: int, token: str | None = None, messages: Iterable[str] | None = None) -> Response:
    return Response(answer(int(status), token, list(messages or ())), headers=_JSON)


def _preflight(request: "LongPollRequest") -> Response:
    asked = ", ".join(request.headers.get_all("access-control-request-headers"))
    return Response(
        headers=_ANY_PAGE
        | {
            "access-control-allow-headers": asked,
            "access-control-allow-methods": "get, post, options",
            "access-control-max-age": "3600",
        }
    )


def _refused(refused: Refused) -> Response:
    if refused.reason:
        _log.warning("refused: %s", refused.reason)
    if refused.status == HTTPStatus.FORBIDDEN:
        return _json(HTTPStatus.FORBIDDEN)
    # There may be more of the request: what it was is over.
    headers = _ANY_PAGE | {"connection": "close"}
    if refused.retry_after is not None:
        headers |= {"retry-after": str(refused.retry_after)}
    return Response(refused.body, refused.status, headers=headers, media_type="text/plain")


def _come_again(status: int) -> Response:
    return Response(
        status_code=status,
        headers=_ANY_PAGE | {"retry-after": str(RETRY_AFTER), "connection": "close"},
    )
