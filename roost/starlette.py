"""Sessions of Starlette (and FastAPI) in `connect`: `WebSocket(session=starlette_session(secret_key))`."""

import json
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

from itsdangerous import BadSignature, TimestampSigner

from roost.gateway.connect.connect_info import ConnectInfo

TWO_WEEKS: Final = 14 * 24 * 60 * 60
"""Seconds: Starlette's default."""


def starlette_session(
    secret_key: str, session_cookie: str = "session", max_age: int | None = TWO_WEEKS
) -> Callable[[ConnectInfo], Mapping[str, Any] | None]:
    """A hook that reads the cookie of Starlette's `SessionMiddleware`, which was given the same."""
    signer = TimestampSigner(secret_key)

    def read(info: ConnectInfo) -> Mapping[str, Any] | None:
        cookie = info.cookies.get(session_cookie)
        if cookie is None:
            return None
        try:
            session = json.loads(b64decode(signer.unsign(cookie.encode(), max_age=max_age)))
        except (BadSignature, ValueError):
            return None
        return session if isinstance(session, dict) else None

    return read
