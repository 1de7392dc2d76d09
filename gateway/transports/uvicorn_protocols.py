"""uvicorn's own protocols, for connections that are not ours: they give back their place when they end."""

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from roost.gateway.connect.capacity import Place


class HttpProtocol(HttpToolsProtocol):
    """Requests for the application's own ASGI app."""

    place: "Place"

    def connection_lost(self, exc: Exception | None) -> None:
        self.place.leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The connection begins again, as an entrance with a place of its own."""
        self.place.leave()
        super().handle_websocket_upgrade()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket of the application's own ASGI app."""

    place: "Place"

    def connection_lost(self, exc: Exception | None) -> None:
        self.place.leave()
        super().connection_lost(exc)
