"""The seam between transports and what they carry messages for: each side as the other one sees it. Pure.

Phoenix has it as `Phoenix.Socket.Transport`. Our transports and those of applications stand on one side, channels
(`Client`) and raw sockets (`RawConnection`) on the other.
"""

from typing import ClassVar, Protocol

from roost.gateway.transports.when_slow import WhenSlow
from roost.shared.frames import Control
from roost.shared.peer.shard_link import Frames


class Transport(Protocol):
    """What carries frames to a client, and its messages here."""

    name: ClassVar[str]
    """For people."""

    descriptor: int
    """Where a frame can be written at once; -1 if it cannot: then `fall_behind` is called."""

    @property
    def address(self) -> str | None:
        """The client's address, if it is known."""

    @property
    def waiting(self) -> int:
        """Bytes that wait for the client to read."""

    def send(self, frame: bytes | Frames) -> None:
        """Send a frame, or broadcasts, at the end of the turn, after all that was sent before."""

    def fall_behind(self, run: Frames, written: int) -> None:
        """The descriptor took only so many bytes of these broadcasts."""

    def hold(self, size: int) -> None:
        """A frame of so many bytes waits elsewhere until `release`; it counts as waiting for the client."""

    def release(self, size: int) -> None:
        """The frame waits elsewhere no longer."""

    def close(self, code: int, reason: str = "") -> None:
        """Close the connection, after all that was sent before."""

    def pause_reading(self) -> None:
        """Take no more from the client, until `resume_reading` was called as often."""

    def resume_reading(self) -> None:
        """Take from the client again."""


class Handler(Protocol):
    """What a transport drives. Its methods are called by the loop, never from within a task."""

    @property
    def wants_controls(self) -> bool:
        """Whether `control` is to be called."""

    def receive(self, data: bytes, *, binary: bool) -> None:
        """A message of the client; text is UTF-8 that was checked."""

    def control(self, kind: Control, payload: bytes) -> None:
        """A ping, which the transport has answered, or a pong."""

    def when_slow(self, topic: str) -> WhenSlow:
        """What becomes of a topic's broadcasts while the client does not read."""

    def too_slow(self, size: int) -> None:
        """The client is disconnected because so many bytes wait for it."""

    def close(self, code: int | None = None) -> None:
        """The connection is gone. `code`: with which the server ended it; None if the client did."""
