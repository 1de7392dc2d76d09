"""The opening handshake of a WebSocket: the request's head, its verdict, the response's bytes. Pure.

The request is judged by the websockets library. Refusals are answered as Phoenix 1.8 answers them: 400 with a sentence
that names the first offending header, 403 with an empty body when the version refuses.
"""

import math
import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import httptools
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from roost.gateway.clients.serializers import BUILT_IN, Served
from roost.gateway.connect.requirement import parse_version
from roost.shared.serializer import Serializer

MAX_HEAD_BYTES: Final = 16 * 1024
"""A longer request head is answered 431."""
SHOWN_CHARS: Final = 200
"""Characters of a client's text that a log line has room for."""

MAX_REMEMBERED: Final = 64
"""Versions, and kinds of upgrade requests, of which is remembered how they were judged."""

_JUDGED: Final = (
    "connection",
    "upgrade",
    "sec-websocket-version",
    "origin",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
)
"""What a request is judged by, besides its key."""
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")
"""16 bytes in base64."""
_AUTHORITY: Final = re.compile(r"https?://[^/?]*", re.IGNORECASE)
_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
)
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class BadRequest(ValueError):
    """The bytes are no HTTP request."""


class Refused(Exception):
    """The request is answered with a status instead of a connection."""

    def __init__(
        self, status: HTTPStatus, body: str = "", *, reason: str = "", retry_after: float | None = None
    ) -> None:
        """`reason` is for the log, where whoever runs the server is to hear of it.

        `retry_after` is in how many seconds the client may come again.
        """
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.reason = reason
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        """Whole seconds."""


class RequestHead:
    """A request up to its body."""

    __slots__ = ("headers", "method", "path", "query", "version")

    def __init__(self, data: bytes) -> None:
        """Parse a whole head. Raises BadRequest."""
        self.headers = Headers()
        self.path = ""
        self.query = ""
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError as error:
            raise BadRequest(str(error)) from None
        self.method: str = parser.get_method().decode("ascii")
        self.version: str = parser.get_http_version()

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        path, _, query = _origin_form(url.decode("latin-1")).partition("?")
        self.path = path
        self.query = query

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self.headers[name.decode("latin-1")] = value.decode("latin-1")


def target_path(head: bytes) -> str | None:
    """The path of a request line, without its query; None if there is no request line."""
    parts = head[: head.find(b"\r\n")].split(b" ", 2)
    return _origin_form(parts[1].decode("latin-1")).partition("?")[0] if len(parts) == 3 else None


def _origin_form(target: str) -> str:
    """A request's target without scheme and host, which clients of forward proxies send too (RFC 9112, 3.2.2)."""
    named = None if target.startswith("/") else _AUTHORITY.match(target)
    return target[named.end() :] if named else target


def choose_serializer(params: dict[str, Any], served: Served = BUILT_IN) -> Serializer:
    """The serializer for the `vsn` parameter; without one the client speaks V1, as in Phoenix. Raises Refused."""
    asked = params.get("vsn", "1.0.0")
    serializer = _serializer_for(asked, served) if isinstance(asked, str) else None
    if serializer is not None:
        return serializer
    wanted = " and ".join(requirement.text for _, requirement in served)
    shown = repr(asked)[:SHOWN_CHARS]
    raise Refused(HTTPStatus.FORBIDDEN, reason=f"the client asks for vsn {shown}; {wanted} are served")


@lru_cache(MAX_REMEMBERED)
def _serializer_for(asked: str, served: Served) -> Serializer | None:
    version = parse_version(asked)
    if version is None:
        return None
    return next((serializer for serializer, requirement in served if requirement.matches(version)), None)


class Judge:
    """Judges upgrade requests; one serves all of a worker's connections.

    The library looks at each kind of request once: what differs from one client to the next is the key alone.
    """

    def __init__(self) -> None:
        self._protocol = ServerProtocol()
        self._passed: set[tuple[str, ...]] = set()
        """What the library has let pass before."""

    def accept(self, head: RequestHead, subprotocol: str | None = None, extension: str | None = None) -> bytes:
        """The response that opens the connection, with what was agreed on. Raises Refused."""
        if head.version != "1.1":
            raise Refused(HTTPStatus.BAD_REQUEST, f"HTTP version {head.version} unsupported")
        accept = self._accept_key(head)
        chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        if extension:
            chosen += f"Sec-WebSocket-Extensions: {extension}\r\n"
        return _ACCEPTED % (accept.encode(), chosen.encode())

    def _accept_key(self, head: RequestHead) -> str:
        headers = head.headers
        kind = (head.method, *["\n".join(headers.get_all(name)) for name in _JUDGED])
        keys = headers.get_all("sec-websocket-key")
        hosts = headers.get_all("host")
        if kind in self._passed and len(hosts) == 1 and len(keys) == 1 and _KEY.fullmatch(keys[0]):
            return accept_key(keys[0])
        if offence := _offence(headers):
            raise Refused(HTTPStatus.BAD_REQUEST, offence)
        request = Request(head.path, _one_upgrade(headers), method=head.method, protocol="HTTP/1.1")
        try:
            accept, _, _ = self._protocol.process_request(request)
        except InvalidHandshake as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        if len(self._passed) < MAX_REMEMBERED:
            self._passed.add(kind)
        return accept


def response(status: int, body: str | bytes = b"", kind: str = "text/plain; charset=utf-8", more: str = "") -> bytes:
    """A whole response after which the connection is closed. `kind` is the body's media type, `more` header lines."""
    content = body.encode() if isinstance(body, str) else body
    kind = f"content-type: {kind}\r\n" if content else ""
    line = f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n"
    head = f"{line}content-length: {len(content)}\r\n{kind}{more}connection: close\r\n\r\n"
    return head.encode() + content


def _offence(headers: Headers) -> str | None:
    """The first header that makes the request no WebSocket upgrade, in the words of Phoenix's adapter."""
    hosts = headers.get_all("host")
    if not hosts:
        return "'host' header is absent"
    if len(hosts) > 1:
        return f"'host' header must be there once, got {_list(hosts)}"  # RFC 9112, section 3.2
    connection = _tokens(headers, "connection")
    if "upgrade" not in connection:
        return f"'connection' header must contain 'upgrade', got {_list(connection)}"
    upgrade = _tokens(headers, "upgrade")
    if "websocket" not in upgrade:
        return f"'upgrade' header must contain 'websocket', got {_list(upgrade)}"
    if "sec-websocket-key" not in headers:
        return "'sec-websocket-key' header is absent"
    version = headers.get_all("sec-websocket-version")
    if version != ["13"]:
        return f"'sec-websocket-version' header must equal '13', got {_list(version)}"
    return None


def _one_upgrade(headers: Headers) -> Headers:
    """For the library, which wants the protocol alone where a list may stand."""
    one = headers.copy()
    del one["upgrade"]
    one["upgrade"] = "websocket"
    return one


def _tokens(headers: Headers, name: str) -> list[str]:
    return [token.strip().lower() for value in headers.get_all(name) for token in value.split(",") if token.strip()]


def _list(values: list[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
