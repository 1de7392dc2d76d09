"""The WebSocket of a client with whom compression is agreed; without it, nothing of this runs."""

from roost.gateway.transports.websocket import WebSocketTransport
from roost.shared.deflate import deflate_frame
from roost.shared.peer.shard_link import Frames


class CompressedWebSocket(WebSocketTransport):
    """Broadcasts come compressed from the shards; what is for this client alone is compressed here."""

    __slots__ = ()

    name = "websocket, compressed"
    inflates = True

    def send(self, frame: bytes | Frames) -> None:
        super().send(frame if isinstance(frame, Frames) else deflate_frame(frame))
