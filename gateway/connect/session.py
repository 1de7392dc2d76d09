"""The session of a client that connects: what the application's hook reads, if the CSRF token is right."""

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from roost.gateway.connect.csrf import SESSION_KEY, is_valid_csrf_token

if TYPE_CHECKING:
    from roost.gateway.connect.connect_info import ConnectInfo
    from roost.gateway.connect.mount import TransportOptions


async def read_session(
    options: "TransportOptions", params: Mapping[str, Any], info: "ConnectInfo"
) -> Mapping[str, Any] | None:
    """The session, or None; a wrong token is no refusal, as in Phoenix. The hook may be async or not."""
    assert options.session is not None
    session = options.session(info)
    if inspect.isawaitable(session):
        session = await session
    if session is None or not options.check_csrf:
        return session
    return session if is_valid_csrf_token(session.get(options.csrf_token_key), params.get(SESSION_KEY)) else None
