"""Requests that uvicorn reads, the application's own and polls, as their clients sent them to a trusted proxy.

A connection of a proxy carries requests of many clients. So not the connection counts against the limit of an address,
as with clients that connect by themselves, but each request for as long as it is under way.
"""

from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from roost.gateway.connect.capacity import RETRY_AFTER, owner_of
from roost.gateway.connect.connect_info import PeerData

if TYPE_CHECKING:
    from roost.gateway.connect.capacity import Capacity
    from roost.gateway.connect.proxies import TrustedProxies

_SECURE: Final = ("https", "wss")
_SCHEMES: Final = {"http": ("http", "https"), "websocket": ("ws", "wss")}


class ProxiedRequests:
    """An ASGI app around that of the worker."""

    def __init__(self, app: Any, proxies: "TrustedProxies", capacity: "Capacity") -> None:
        self._app = app
        self._proxies = proxies
        self._capacity = capacity

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request; 429 if the client's address has too many."""
        client = scope.get("client")
        if scope["type"] not in _SCHEMES or client is None or client[0] not in self._proxies:
            await self._app(scope, receive, send)
            return
        self._show_client(scope)
        if scope["type"] == "websocket":  # its connection is one client's, and was counted before it came here
            await self._app(scope, receive, send)
            return
        owner = owner_of(scope["client"][0])
        if not self._capacity.charge(owner):
            await Response(status_code=429, headers={"retry-after": str(RETRY_AFTER)})(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._capacity.discharge(owner)

    def _show_client(self, scope: Any) -> None:
        def values(name: str) -> list[str]:
            return [value.decode("latin-1") for key, value in scope["headers"] if key == name.encode()]

        seen = self._proxies.client(PeerData(*scope["client"]), scope["scheme"] in _SECURE, values)
        scope["client"] = (seen.peer.address, seen.peer.port)
        scope["scheme"] = _SCHEMES[scope["type"]][seen.secure]
