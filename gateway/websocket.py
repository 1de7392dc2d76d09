"""A client's WebSocket after the handshake: its bytes in and out."""

import asyncio
import os
from typing import TYPE_CHECKING, Final

from roost.gateway.frame_reader import MAX_MESSAGE_BYTES, BinaryMessage, FrameReader
from roost.shared.frames import CloseCode

if TYPE_CHECKING:
    from roost.gateway.capacity import Place
    from roost.gateway.client import Client
    from roost.gateway.idle_wheel import IdleWheel
    from roost.gateway.turn import Turn

CLOSE_LIMIT: Final = 5.0
"""Seconds that a client has to answer our close frame; then the connection is cut."""


class WebSocketTransport(asyncio.Protocol):
    """Carries one client's frames.

    While nothing stays behind in the transport's buffer, bytes are written straight to its descriptor; once something
    does, they queue behind it. With a high-water mark of 0 the loop pauses writing exactly then.
    """

    __slots__ = (
        "_client",
        "_collected",
        "_place",
        "_plain_descriptor",
        "_reader",
        "_reading",
        "_transport",
        "_turn",
        "_wheel",
        "descriptor",
        "heard",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        turn: "Turn",
        wheel: "IdleWheel[WebSocketTransport]",
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        place: "Place | None" = None,
    ) -> None:
        self._transport = transport
        self._turn = turn
        self._wheel = wheel
        self._reader = FrameReader(max_message_bytes)
        self._place = place
        self._client: Client | None = None
        self._collected: list[bytes] | None = None
        self._reading = True
        self.heard = 0.0
        """When the client was last heard, by the wheel's clock."""
        transport.set_write_buffer_limits(high=0)
        plain = transport.get_extra_info("sslcontext") is None
        self._plain_descriptor: int = transport.get_extra_info("socket").fileno() if plain else -1
        self.descriptor = self._plain_descriptor
        """Where a frame can be written at once; -1 while it cannot: then `write` knows what to do."""
        wheel.add(self)

    def open(self, client: "Client") -> None:
        """The client is connected: from now on it is told what arrives."""
        self._client = client

    # Told by the loop

    def data_received(self, data: bytes) -> None:
        self.heard = self._wheel.now
        reader = self._reader
        client = self._client
        for message in reader.feed(data):
            if client is None or self._closing():
                break
            client.receive(message, binary=type(message) is BinaryMessage)
        if self._collected:
            self.flush()
        if reader.outgoing or reader.finished:
            self._send_protocol()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - however it was lost, it is gone
        # The loop closes the descriptor after this, and its number may be given to another client at once.
        self._seal()
        self._wheel.remove(self)
        if self._place is not None:
            self._place.leave()
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def pause_writing(self) -> None:
        self.descriptor = -1

    def resume_writing(self) -> None:
        self.descriptor = self._plain_descriptor

    # Told by the client

    def send(self, frame: bytes) -> None:
        """Send a frame at the end of the turn, together with what else the turn has for this client."""
        if self._collected is None:
            self._collected = [frame]
            self._turn.collect(self)
        else:
            self._collected.append(frame)

    def flush(self) -> None:
        """Write what was collected."""
        collected, self._collected = self._collected, None
        if not collected:
            return
        data = collected[0] if len(collected) == 1 else b"".join(collected)
        try:
            written = os.write(self.descriptor, data)
        except OSError:
            self.write(data)
        else:
            if written != len(data):
                self.write(data[written:])

    def write(self, data: bytes) -> None:
        """Write behind what the transport has not written yet; a connection that closes takes nothing more."""
        if not self._closing():
            self._transport.write(data)

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Begin the closing handshake; the client has a limited time to answer."""
        if self._closing():
            return
        self.flush()
        self._reader.close(code, reason)
        self._send_protocol()
        asyncio.get_running_loop().call_later(CLOSE_LIMIT, self._transport.abort)

    def pause_reading(self) -> None:
        """Take no more from the client."""
        self._reading = False
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take from the client again."""
        self._reading = True
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def silent(self) -> None:
        """The wheel has not heard the client for its limit."""
        if not self._reading:
            self._wheel.add(self)
        else:
            self.close(CloseCode.PROTOCOL_ERROR)

    def _send_protocol(self) -> None:
        """Send what the protocol itself wants sent: pongs, the close frame; and end the connection after the last."""
        reader = self._reader
        data, reader.outgoing = reader.outgoing, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)
        if reader.closing:
            self._seal()
        if reader.finished:
            self._transport.close()

    def _closing(self) -> bool:
        return self._reader.closing or self._transport.is_closing()

    def _seal(self) -> None:
        """Nothing may be written to the descriptor any more."""
        self._plain_descriptor = self.descriptor = -1
