"""What an application derives from to carry the messages of channels or raw sockets its own way."""

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from roost.shared.frames import frame_payloads, is_control, is_text
from roost.shared.peer.shard_link import Frames

if TYPE_CHECKING:
    from roost.gateway.transports.transport import Handler


class Transport(ABC):
    """One client's connection; `endpoint.connect` gives it somebody to talk to.

    Whoever writes one keeps the queue of `deliver` within bounds, ends clients that are silent, and checks who may
    connect: what our WebSockets do by themselves.
    """

    name: ClassVar[str] = "custom"
    address: str | None = None
    """The client's, as `endpoint.connect` was told."""
    waiting = 0
    """What waits is the transport's own affair."""
    descriptor = -1
    """There is none to write frames to: broadcasts come by `fall_behind`."""

    def __init__(self) -> None:
        self.may_read = asyncio.Event()
        """Unset while so much of the client's waits that no more of it is to be read."""
        self.may_read.set()
        self._handler: Handler | None = None
        self._pauses = 0
        self._over = False
        self._code: int | None = None
        """With which the server ended the connection."""

    # For an application to write

    @abstractmethod
    def deliver(self, data: str | bytes) -> None:
        """Send the client a text or a binary message, after all those before. It must not wait."""

    @abstractmethod
    def closed(self, code: int, reason: str) -> None:
        """The server ends the connection, after all messages before; with a code of WebSocket's."""

    # For an application to call

    def received(self, data: str | bytes) -> None:
        """A message of the client came; text must be valid Unicode. From any task or callback of the loop."""
        if isinstance(data, str):
            self._soon(data.encode(), binary=False)
        else:
            self._soon(bytes(data), binary=True)

    def lost(self) -> None:
        """The connection is gone."""
        if not self._over:
            self._over = True
            asyncio.get_running_loop().call_soon(self._end)

    # Called by what handles the messages

    def open(self, handler: "Handler") -> None:
        """The application has let the client in."""
        self._handler = handler

    def send(self, frame: bytes | Frames) -> None:
        for one in frame.frames if isinstance(frame, Frames) else (frame,):
            if not self._over and not is_control(one):
                (payload,) = frame_payloads(one)
                self.deliver(payload.decode() if is_text(one) else payload)

    def fall_behind(self, run: Frames, written: int) -> None:
        del written  # there was nothing to write to
        self.send(run)

    def hold(self, size: int) -> None:  # noqa: B027 - there is nothing to do
        """Frames that wait for the echo of a broadcast are few: they wait for one round trip to a shard."""

    def release(self, size: int) -> None:  # noqa: B027 - nor here
        """The same."""

    def close(self, code: int, reason: str = "") -> None:
        if not self._over:
            self._code = int(code)
            self.lost()
            self.closed(self._code, reason)

    def pause_reading(self) -> None:
        self._pauses += 1
        self.may_read.clear()

    def resume_reading(self) -> None:
        self._pauses -= 1
        if not self._pauses:
            self.may_read.set()

    # In the loop, outside of any task: what handles messages may step coroutines by hand

    def _soon(self, data: bytes, *, binary: bool) -> None:
        asyncio.get_running_loop().call_soon(self._receive, data, binary)

    def _receive(self, data: bytes, binary: bool) -> None:
        if self._handler is not None and not self._over:
            self._handler.receive(data, binary=binary)

    def _end(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.close(self._code)
