"""Program order: a channel's own broadcast reaches its client before what the channel sends it afterwards.

A broadcast goes by way of a shard, a reply does not. So the reply waits until the broadcast has come by; what the
channel sends after it waits behind it, and nothing else does (rule W10 of the delivery protocol).
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.gateway.bus.bus import Bus
    from roost.gateway.clients.client import Client


class ProgramOrder:
    """What one channel sends its client. Made when the channel first broadcasts."""

    __slots__ = ("_awaited", "_client", "_held", "_uplink")

    def __init__(self, uplink: "Bus", client: "Client") -> None:
        self._uplink = uplink
        self._client = client
        self._awaited = 0
        """The number of the channel's last broadcast that its client is to see; 0 if it has seen it."""
        self._held: deque[tuple[int, int, Callable[[], None]]] = deque()

    def published(self, number: int) -> None:
        """The channel has published this, and its client is among the subscribers."""
        self._awaited = number

    def send(self, frame: bytes) -> None:
        """Send a frame when its turn has come."""
        self.then(lambda: self._client.send(frame), len(frame))

    def then(self, action: Callable[[], None], size: int = 0) -> None:
        """Do something when all that was sent before has left; `size`: bytes that wait for the client with it."""
        if not self._held and (not self._awaited or self._uplink.echoed(self._client.hash, self._awaited)):
            self._awaited = 0
            action()
            return
        if not self._held or self._held[-1][0] != self._awaited:
            self._uplink.hold(self._client.hash, self._awaited, self)
        self._held.append((self._awaited, size, action))
        self._client.transport.hold(size)

    def released(self) -> None:
        """Some of what was waited for has come by."""
        while self._held and self._uplink.echoed(self._client.hash, self._held[0][0]):
            _, size, action = self._held.popleft()
            self._client.transport.release(size)
            action()
