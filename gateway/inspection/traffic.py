"""What went between one worker and its clients, counted by read, by write and by run of frames. Pure.

Nothing here is counted by recipient: a broadcast to a thousand clients is one addition.
"""

from typing import Protocol


class Waiter(Protocol):
    """A connection for which something may wait."""

    @property
    def waiting(self) -> int:
        """Bytes that wait for the client."""


class Traffic:
    """The counts of one worker since it started."""

    __slots__ = (
        *("broadcasts_sent", "bytes_received", "bytes_sent", "joined", "messages_received", "refused", "replies_sent"),
        *("slow", "too_often"),
    )

    def __init__(self) -> None:
        self.messages_received = 0
        self.bytes_received = 0
        """Read from connections after the handshake, frames' heads included."""
        self.broadcasts_sent = 0
        """Frames of broadcasts, each once for every client that it was handed to."""
        self.replies_sent = 0
        """Frames of replies and pushes."""
        self.bytes_sent = 0
        """Of both, frames' heads included, whether or not a slow client gets them in the end."""
        self.joined = 0
        """Joins that were answered `ok`."""
        self.refused = 0
        """Joins that were answered `error`."""
        self.too_often = 0
        """Connects, joins and events that were refused because they came too often."""
        self.slow: set[Waiter] = set()
        """Connections for which something waits."""

    def waiting_bytes(self) -> int:
        """What waits for slow clients."""
        return sum(waiter.waiting for waiter in self.slow)
