"""The `Sec-WebSocket-Protocol` header: the protocol that is chosen, and the token that phoenix.js hides in it. Pure."""

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from websockets.datastructures import Headers

from roost.gateway.transports.handshake import Refused

HEADER: Final = "Sec-WebSocket-Protocol"
PHOENIX: Final = "phoenix"
"""What a client offers besides its token."""
_BEARER: Final = "base64url.bearer.phx."
"""What is behind it is standard base64 all the same, with or without padding: phoenix.js makes it with `btoa`."""


def take_auth_token(headers: Headers) -> str | None:
    """The token, which is taken out of the headers; None if there is not exactly one. Raises Refused."""
    offered = _offered(headers)
    tokens = [protocol for protocol in offered if protocol.startswith(_BEARER)]
    if len(tokens) != 1:
        return None
    token = _decode(tokens[0].removeprefix(_BEARER))
    offered.remove(tokens[0])
    del headers[HEADER]
    if offered:
        headers[HEADER] = ", ".join(offered)
    return token


def choose_subprotocol(headers: Headers, served: Sequence[str] | None) -> str | None:
    """The first that is served of those that are offered; None if there is nothing to choose. Raises Refused."""
    if served is None or HEADER not in headers:
        return None
    offered = _offered(headers)
    for protocol in served:
        if protocol in offered:
            return protocol
    raise Refused(
        HTTPStatus.FORBIDDEN,
        reason=f"the client offers the sub-protocols {', '.join(offered) or 'none'}; served: {', '.join(served)}",
    )


def _offered(headers: Headers) -> list[str]:
    return [part for value in headers.get_all(HEADER) for part in map(str.strip, value.split(",")) if part]


def _decode(text: str) -> str:
    """`btoa` writes one byte a character; other clients write UTF-8."""
    text = text.rstrip("=")
    try:
        token = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the auth token is not base64") from None
    try:
        return token.decode()
    except UnicodeDecodeError:
        return token.decode("latin-1")
