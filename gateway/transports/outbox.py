"""What waits for one client that does not read fast enough: how much may, and what gives way. Pure.

Made when a client falls behind, let go when it has caught up. The frame that is being written does not count, only
what waits behind it: so a single frame of any size reaches a client for which nothing else waits.
"""

from collections import OrderedDict
from typing import Final

from roost.gateway.transports.drops import Reason
from roost.gateway.transports.when_slow import WhenSlow

MAX_OUTBOUND_BYTES: Final = 1024 * 1024
"""Bytes that may wait for one client before the policies of its topics decide."""
HARD_LIMIT: Final = 4
"""So many times that much may wait if it is replies, pushes and newest frames, which no policy drops."""
SMALL_FRAME: Final = 1024
"""Smaller frames are copied together, so that they take no more memory than their bytes; larger ones are shared."""
PIECE_BYTES: Final = 16 * 1024
"""At most so much is copied together into one piece."""


class _Piece:
    """Frames that leave together."""

    __slots__ = ("broadcasts", "data")

    def __init__(self, data: bytes | bytearray, broadcasts: int) -> None:
        self.data = data
        self.broadcasts = broadcasts


class Outbox:
    """The frames that wait for one client, in the order in which they came."""

    __slots__ = ("_growing", "_limit", "_next", "_pieces", "broadcasts", "size")

    def __init__(self, limit: int) -> None:
        """`limit` in bytes."""
        self._limit = limit
        self._pieces: OrderedDict[int | str, _Piece] = OrderedDict()
        """By a number, or by the topic for a frame that a newer one of its topic replaces."""
        self._growing: _Piece | None = None
        """The last piece, if further frames may be put to it."""
        self._next = 0
        self.size = 0
        """Bytes that wait."""
        self.broadcasts = 0
        """Broadcast frames among what waits."""

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, frame: bytes, held: int = 0) -> bool:
        """A frame that no policy drops; False if it is the one too many. `held`: bytes that wait elsewhere for it."""
        if self._exceeds(len(frame), held, HARD_LIMIT * self._limit):
            return False
        self._append(frame, 0)
        return True

    def add_control(self, frame: bytes) -> None:
        """A pong or the close frame, for which there is always room; too many pings are not read."""
        self._append(frame, 0)

    def broadcast(self, frame: bytes, topic: str, policy: WhenSlow, held: int = 0) -> Reason | None:
        """A broadcast frame. Answers why a frame is dropped: this one, or with `LATEST` the one that it replaces."""
        if policy is WhenSlow.LATEST:
            return self._replace(frame, topic, held)
        if self._exceeds(len(frame), held, self._limit):
            return Reason.DROP_NEWEST if policy is WhenSlow.DROP_NEWEST else Reason.SLOW_DISCONNECT
        self._append(frame, 1)
        return None

    def take(self, size: int) -> bytes:
        """What leaves next: about so many bytes, or one frame that is larger."""
        taken: list[bytes | bytearray] = []
        while self._pieces and size > 0:
            _, piece = self._pieces.popitem(last=False)
            taken.append(piece.data)
            size -= len(piece.data)
            self._forget(piece)
        return bytes(taken[0]) if len(taken) == 1 else b"".join(taken)

    def _replace(self, frame: bytes, topic: str, held: int) -> Reason | None:
        replaced = self._pieces.get(topic)
        growth = len(frame) - (0 if replaced is None else len(replaced.data))
        if self._exceeds(growth, held, HARD_LIMIT * self._limit):
            return Reason.SLOW_DISCONNECT
        if replaced is not None:
            self._forget(self._pieces.pop(topic))
        self._put(topic, _Piece(frame, 1))
        return None if replaced is None else Reason.LATEST

    def _exceeds(self, size: int, held: int, limit: int) -> bool:
        waiting = self.size + held
        return waiting > 0 and waiting + size > limit

    def _append(self, frame: bytes, broadcasts: int) -> None:
        growing = self._growing
        if len(frame) >= SMALL_FRAME:
            self._put(self._number(), _Piece(frame, broadcasts))
        elif growing is None or len(growing.data) >= PIECE_BYTES:
            piece = _Piece(bytearray(frame), broadcasts)
            self._put(self._number(), piece)
            self._growing = piece
        else:
            growing.data += frame
            growing.broadcasts += broadcasts
            self.size += len(frame)
            self.broadcasts += broadcasts

    def _number(self) -> int:
        self._next += 1
        return self._next

    def _put(self, key: int | str, piece: _Piece) -> None:
        self._pieces[key] = piece
        self._growing = None
        self.size += len(piece.data)
        self.broadcasts += piece.broadcasts

    def _forget(self, piece: _Piece) -> None:
        if piece is self._growing:
            self._growing = None
        self.size -= len(piece.data)
        self.broadcasts -= piece.broadcasts
