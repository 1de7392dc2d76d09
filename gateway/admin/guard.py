"""Who may ask the admin listener: known by a token, never by address. Pure.

Behind a proxy on the same machine every client has a local address. And a page that a browser on this machine has
open can reach loopback under a name of its own (DNS rebinding): its Host header shows that.
"""

import hmac
from http import HTTPStatus
from typing import Final, NamedTuple

HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names of loopback, with any port or none, so that a tunnel may end at another port."""
_BEARER: Final = "bearer "


class Refusal(NamedTuple):
    """How a request is turned away."""

    status: HTTPStatus
    sentence: str


def bearer(authorization: str) -> str | None:
    """The token of an `Authorization: Bearer` header; None if it is none."""
    return authorization[len(_BEARER) :].strip() if authorization.lower().startswith(_BEARER) else None


def wrong_host(host: str) -> Refusal | None:
    """Whether a request's Host header names another host than this machine."""
    name = host.lower()
    if not name.endswith("]"):
        name = name.rpartition(":")[0] or name
    if name in HOSTS:
        return None
    return Refusal(HTTPStatus.MISDIRECTED_REQUEST, "ask for localhost, 127.0.0.1 or [::1]: no other Host is answered")


def wrong_token(authorization: str, parameter: str, token: str) -> Refusal | None:
    """Whether a request fails to show the token: as `Authorization: Bearer`, or as the parameter `token`."""
    given = bearer(authorization)
    if hmac.compare_digest((parameter if given is None else given).encode(), token.encode()):
        return None
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        "send the token in the run directory's admin_token as `Authorization: Bearer TOKEN` or `?token=TOKEN`",
    )
