"""The opening handshake of a WebSocket: the request's head, its verdict, the response's bytes. Pure.

The request is judged by the websockets library. Refusals are answered as Phoenix 1.8 answers them: 400 with a sentence
that names the first offending header, 403 with an empty body when the version refuses.
"""

from http import HTTPStatus
from typing import Any, Final

import httptools
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request
from websockets.server import ServerProtocol

from roost.gateway.requirement import parse_version
from roost.gateway.serializers import BUILT_IN, Served
from roost.shared.serializer import Serializer

MAX_HEAD_BYTES: Final = 16 * 1024
"""A longer request head is answered 431."""
SHOWN_CHARS: Final = 200
"""Characters of a client's text that a log line has room for."""

_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n%b\r\n"
)
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


class BadRequest(ValueError):
    """The bytes are no HTTP request."""


class Refused(Exception):
    """The request is answered with a status instead of a connection."""

    def __init__(self, status: HTTPStatus, body: str = "", *, reason: str = "") -> None:
        """`reason` is for the log, where whoever runs the server is to hear of it."""
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.reason = reason


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
        path, _, query = url.decode("latin-1").partition("?")
        self.path = path
        self.query = query

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self.headers[name.decode("latin-1")] = value.decode("latin-1")


def target_path(head: bytes) -> str | None:
    """The path of a request line, without its query; None if there is no request line."""
    parts = head[: head.find(b"\r\n")].split(b" ", 2)
    return parts[1].partition(b"?")[0].decode("latin-1") if len(parts) == 3 else None


def choose_serializer(params: dict[str, Any], served: Served = BUILT_IN) -> Serializer:
    """The serializer for the `vsn` parameter; without one the client speaks V1, as in Phoenix. Raises Refused."""
    asked = params.get("vsn", "1.0.0")
    version = parse_version(asked) if isinstance(asked, str) else None
    for serializer, requirement in served:
        if version is not None and requirement.matches(version):
            return serializer
    wanted = " and ".join(requirement.text for _, requirement in served)
    shown = repr(asked)[:SHOWN_CHARS]
    raise Refused(HTTPStatus.FORBIDDEN, reason=f"the client asks for vsn {shown}; {wanted} are served")


class Judge:
    """Judges upgrade requests; one serves all of a worker's connections."""

    def __init__(self) -> None:
        self._protocol = ServerProtocol()

    def accept(self, head: RequestHead, subprotocol: str | None = None, extension: str | None = None) -> bytes:
        """The response that opens the connection, with what was agreed on. Raises Refused."""
        if head.version != "1.1":
            raise Refused(HTTPStatus.BAD_REQUEST, f"HTTP version {head.version} unsupported")
        request = Request(head.path, head.headers, method=head.method, protocol="HTTP/1.1")
        try:
            accept, _, _ = self._protocol.process_request(request)
        except InvalidHandshake as error:
            raise Refused(HTTPStatus.BAD_REQUEST, _offence(head.headers) or str(error)) from None
        chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        if extension:
            chosen += f"Sec-WebSocket-Extensions: {extension}\r\n"
        return _ACCEPTED % (accept.encode(), chosen.encode())


def response(status: int, body: str | bytes = b"", kind: str = "text/plain; charset=utf-8", more: str = "") -> bytes:
    """A whole response after which the connection is closed. `kind` is the body's media type, `more` header lines."""
    content = body.encode() if isinstance(body, str) else body
    kind = f"content-type: {kind}\r\n" if content else ""
    line = f"HTTP/1.1 {status} {_PHRASES.get(status, '')}\r\n"
    head = f"{line}content-length: {len(content)}\r\n{kind}{more}connection: close\r\n\r\n"
    return head.encode() + content


def _offence(headers: Headers) -> str | None:
    """The first header that makes the request no WebSocket upgrade, in the words of Phoenix's adapter."""
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


def _tokens(headers: Headers, name: str) -> list[str]:
    return [token.strip().lower() for value in headers.get_all(name) for token in value.split(",") if token.strip()]


def _list(values: list[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
