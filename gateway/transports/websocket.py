"""A client's WebSocket after the handshake: its bytes in and out."""

import asyncio
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from roost.gateway.transports.drops import Drops, Reason
from roost.gateway.transports.frame_reader import MAX_MESSAGE_BYTES, BinaryMessage, ControlMessage, FrameReader
from roost.gateway.transports.outbox import HARD_LIMIT, Outbox
from roost.shared.frames import CloseCode
from roost.shared.peer.shard_link import Frames

if TYPE_CHECKING:
    from roost.gateway.connect.capacity import Place
    from roost.gateway.inspection.traffic import Traffic
    from roost.gateway.transports.idle_wheel import IdleWheel
    from roost.gateway.transports.transport import Handler
    from roost.gateway.transports.turn import Turn

CLOSE_LIMIT: Final = 5.0
"""Seconds that a client has to answer our close frame; then the connection is cut."""
MAX_FRAMES_A_TURN: Final = 64
"""Frames of one client that are handled in one turn of the loop; other clients come first then."""
LARGE_READ: Final = 64 * 1024
"""After so many bytes at once, too, a client is not read from until the next turn."""
WRITE_BYTES: Final = 64 * 1024
"""About so much is given to the transport at once; what follows can still be dropped, or shared with other clients."""


class WebSocketTransport(asyncio.Protocol):
    """Carries one client's frames.

    While the kernel takes everything, bytes are written straight to the descriptor. Once something stays behind, the
    loop's transport finishes that frame, and what follows waits in an outbox. With a high-water mark of 0 the loop
    pauses writing exactly then.
    """

    __slots__ = (
        "_blocked",
        "_collected",
        "_drops",
        "_handler",
        "_held",
        "_max_outbound_bytes",
        "_outbox",
        "_pauses",
        "_place",
        "_plain_descriptor",
        "_reader",
        "_reading",
        "_sealed",
        "_transport",
        "_turn",
        "_unread_by_client",
        "_wheel",
        "descriptor",
        "heard",
    )

    name: ClassVar[str] = "websocket"
    inflates: ClassVar = False
    """Whether the client may send compressed messages."""

    def __init__(
        self,
        transport: asyncio.Transport,
        turn: "Turn",
        wheel: "IdleWheel[WebSocketTransport]",
        drops: Drops,
        max_outbound_bytes: int,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        place: "Place | None" = None,
    ) -> None:
        self._transport = transport
        self._turn = turn
        self._wheel = wheel
        self._drops = drops
        self._max_outbound_bytes = max_outbound_bytes
        self._reader = FrameReader(max_message_bytes, inflates=self.inflates)
        self._place = place
        self._handler: Handler | None = None
        self._collected: list[bytes | Frames] | None = None
        """What leaves at the end of the turn: broadcasts as handovers, everything else as frames."""
        self._outbox: Outbox | None = None
        self._blocked = False
        """Whether the loop's transport holds bytes that the kernel has not taken."""
        self._held = 0
        """Bytes of frames for this client that wait for the echo of a broadcast."""
        self._pauses = 0
        """How many reasons there are not to read from the client."""
        self._reading = True
        self._sealed = False
        """Whether the last frame was sent: nothing follows it, and nothing is heard any more."""
        self._unread_by_client = False
        """Whether one of these reasons is that so much waits for the client."""
        self.heard = 0.0
        """When the client was last heard, by the wheel's clock."""
        plain = transport.get_extra_info("sslcontext") is None
        # A plain transport pauses above its high-water mark, TLS at it already: with 0 when nothing waits.
        transport.set_write_buffer_limits(high=0 if plain else 1)
        self._plain_descriptor: int = transport.get_extra_info("socket").fileno() if plain else -1
        self.descriptor = self._plain_descriptor
        """Where a frame can be written at once; -1 while it cannot: then `fall_behind` knows what to do."""
        wheel.add(self)

    def open(self, handler: "Handler") -> None:
        """The client is connected: from now on its handler is told what arrives."""
        self._handler = handler
        self._reader.controls = handler.wants_controls

    @property
    def address(self) -> str | None:
        """The client's address; behind a trusted proxy the one that the proxy names."""
        return None if self._place is None else self._place.address

    @property
    def waiting(self) -> int:
        """Bytes that wait for the client, those that the loop holds among them."""
        return self._waiting() + self._transport.get_write_buffer_size()

    # Told by the loop

    def data_received(self, data: bytes) -> None:
        self.heard = self._wheel.now
        self._read(data)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - however it was lost, it is gone
        # The loop closes the descriptor after this, and its number may be given to another client at once.
        self._seal()
        self._drop_all(Reason.CLOSED)
        self._wheel.remove(self)
        if self._place is not None:
            self._place.leave()
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.close(self._reader.closed_with)

    def pause_writing(self) -> None:
        self._blocked = True
        self.descriptor = -1

    def resume_writing(self) -> None:
        self._blocked = False
        while self._outbox and not self._blocked:
            self._transport.write(self._outbox.take(WRITE_BYTES))
        if not self._blocked:
            self._outbox = None
            self._turn.traffic.slow.discard(self)
            self.descriptor = self._plain_descriptor
        self._judge_reading()

    # Told by the client

    def send(self, frame: bytes | Frames) -> None:
        """Send a frame, or broadcasts, at the end of the turn, together with what else it has for this client."""
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
        data = _joined(collected, self._turn.traffic)
        try:
            written = os.write(self.descriptor, data)
        except OSError:
            written = 0
        if written != len(data):
            self._wait(_frames(collected), written)

    def fall_behind(self, run: Frames, written: int) -> None:
        """The descriptor took only so many bytes of these broadcasts: the rest waits, as far as the policy allows."""
        self._wait(_frames([run]), written)

    def hold(self, size: int) -> None:
        """A frame of so many bytes waits elsewhere until `release`: it counts as waiting for the client."""
        alone = not self._waiting()
        self._held += size
        if not alone and self._waiting() > HARD_LIMIT * self._max_outbound_bytes:
            self._disconnect_slow()
        self._judge_reading()

    def release(self, size: int) -> None:
        """The frame waits elsewhere no longer."""
        self._held -= size
        self._judge_reading()

    def close(self, code: int, reason: str = "") -> None:
        """Begin the closing handshake; the client has a limited time to answer."""
        if self._closing():
            return
        self.flush()
        self._reader.close(code, reason)
        self._send_protocol()
        self._judge_reading()
        asyncio.get_running_loop().call_later(CLOSE_LIMIT, self._transport.abort)

    def pause_reading(self) -> None:
        """Take no more from the client, until `resume_reading` was called as often."""
        self._pauses += 1
        self._set_reading(on=False)

    def resume_reading(self) -> None:
        """Take from the client again, from the next turn on if there are frames left of this one."""
        self._pauses -= 1
        if self._pauses:
            return
        if self._reader.unread:
            self._rest()
        else:
            self._set_reading(on=True)

    def silent(self) -> None:
        """The wheel has not heard the client for its limit."""
        if self._unread_by_client:
            self._disconnect_slow()
        elif self._pauses:
            self._wheel.add(self)
        else:
            self.close(CloseCode.PROTOCOL_ERROR)

    # Reading

    def _read(self, data: bytes) -> None:
        reader = self._reader
        handler = self._handler
        messages = reader.feed(data, 0 if self._pauses else MAX_FRAMES_A_TURN)
        traffic = self._turn.traffic
        traffic.messages_received += len(messages)
        traffic.bytes_received += len(data)
        if reader.outgoing and not reader.closing:
            self._send_protocol()  # pongs come before the answer to a message that they stood within
        if self._collected is None:
            self._collected = []  # what is answered at once is written below, not at the end of the turn
        for message in messages:
            if handler is None or self._sealed or self._transport.is_closing():
                break  # what came before the client's own close frame is heard
            if type(message) is ControlMessage:
                handler.control(message.kind, message)
            else:
                handler.receive(message, binary=type(message) is BinaryMessage)
        self.flush()
        if reader.outgoing or reader.finished:
            self._send_protocol()
        if reader.unread or len(data) >= LARGE_READ:
            self._rest()

    def _rest(self) -> None:
        """Read on in the next turn, so that other clients have theirs."""
        self.pause_reading()
        asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        self._pauses -= 1
        if self._transport.is_closing():
            return
        if not self._pauses and self._reader.unread:
            self._read(b"")
        if not self._pauses:
            self._set_reading(on=True)

    def _set_reading(self, *, on: bool) -> None:
        if on is self._reading or self._transport.is_closing():
            return
        self._reading = on
        if on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _judge_reading(self) -> None:
        """A client is not read from while too much waits for it: most of that it has asked for."""
        too_much = self._waiting() > self._max_outbound_bytes and not self._reader.closing
        if too_much is not self._unread_by_client:
            self._unread_by_client = too_much
            self.pause_reading() if too_much else self.resume_reading()

    # Waiting

    def _wait(self, frames: Iterable[tuple[bytes, str | None]], written: int) -> None:
        """Finish the frame that is partly written; those behind it wait, unless the loop's transport takes them."""
        ready = bytearray()
        for frame, topic in frames:
            if written >= len(frame):
                written -= len(frame)
            elif self._closing():
                self._drops.add(Reason.CLOSED, topic is not None)
            elif self._blocked:
                self._keep(frame, topic)
            else:
                ready += frame[written:] if written else frame
                written = 0
                if len(ready) >= WRITE_BYTES:
                    self._transport.write(bytes(ready))
                    ready = bytearray()
        if ready:
            self._transport.write(bytes(ready))
        self._judge_reading()

    def _keep(self, frame: bytes, topic: str | None) -> None:
        """Let a frame wait. `topic`: what it was broadcast on, None for a reply or a push."""
        outbox = self._outbox
        if outbox is None:
            outbox = self._outbox = Outbox(self._max_outbound_bytes)
            self._turn.traffic.slow.add(self)
        if topic is None or self._handler is None:
            if not outbox.add(frame, self._held):
                self._disconnect_slow()
            return
        reason = outbox.broadcast(frame, topic, self._handler.when_slow(topic), self._held)
        if reason is not None:
            self._drops.add(reason)
        if reason is Reason.SLOW_DISCONNECT:
            self._disconnect_slow()

    def _waiting(self) -> int:
        """Bytes that wait for the client, behind the frame that is being written."""
        return self._held + (self._outbox.size if self._outbox is not None else 0)

    def _disconnect_slow(self) -> None:
        if self._handler is not None:
            self._handler.too_slow(self._waiting())
        self._drop_all(Reason.SLOW_DISCONNECT)
        self.close(CloseCode.TOO_SLOW, f"too slow: more than {self._max_outbound_bytes} bytes waited")

    def _drop_all(self, reason: Reason) -> None:
        """Forget what waits for the client."""
        outbox, self._outbox = self._outbox, None
        self._turn.traffic.slow.discard(self)
        collected, self._collected = self._collected, None
        self._drops.add(reason, outbox.broadcasts if outbox is not None else 0)
        self._drops.add(reason, sum(topic is not None for _, topic in _frames(collected or ())))

    # The protocol's own frames

    def _send_protocol(self) -> None:
        """Send what the protocol itself wants sent: pongs, the close frame; and end the connection after the last."""
        reader = self._reader
        data, reader.outgoing = reader.outgoing, b""
        if reader.finished:
            self._drop_all(Reason.CLOSED)  # the client has ended it: it reads no more than our answer
        if data and not self._transport.is_closing():
            if self._outbox is not None:
                self._outbox.add_control(data)
                self._judge_reading()
            elif self._blocked and not reader.closing:
                self._keep(data, None)
            else:
                self._transport.write(data)
        if reader.closing:
            self._seal()
        if reader.finished:
            self._transport.close()

    def _closing(self) -> bool:
        return self._sealed or self._transport.is_closing()

    def _seal(self) -> None:
        """Nothing may be written to the descriptor any more."""
        self._sealed = True
        self._plain_descriptor = self.descriptor = -1


def _joined(collected: list[bytes | Frames], traffic: "Traffic") -> bytes:
    """The bytes to be written; replies and pushes are counted, broadcasts were when they were handed over."""
    if len(collected) > 1:
        return b"".join([_joined([piece], traffic) for piece in collected])
    (only,) = collected  # nearly always
    if isinstance(only, Frames):
        return only.joined or only.join()
    traffic.replies_sent += 1
    traffic.bytes_sent += len(only)
    return only


def _frames(collected: Iterable[bytes | Frames]) -> Iterator[tuple[bytes, str | None]]:
    """Each frame, with the topic that it was broadcast on."""
    for piece in collected:
        if isinstance(piece, Frames):
            for frame in piece.frames:
                yield frame, piece.topic
        else:
            yield piece, None
