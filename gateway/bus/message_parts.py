"""Messages to a worker of another node in parts that the engine takes, put together where they arrive. Pure."""

from collections.abc import Iterator
from typing import Final

PART: Final = "part"
"""The kind of a message that is a part of one."""
MAX_PART_BYTES: Final = 256 * 1024
OVERHEAD: Final = 1024
"""Bytes, at most, that a part takes beside its data."""
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Of parts whose message is not complete. With more, the message is given up that was begun longest ago: it is lost to
who sent it, as one is whose part did not arrive."""


def part_size(max_payload: int) -> int:
    """Bytes of data in a part, where a publish for other nodes may have so many."""
    return max(1, min(MAX_PART_BYTES, max_payload - OVERHEAD))


def split(message: bytes, size: int, name: str) -> Iterator[list[object]]:
    """The parts of a message, each as `take` wants it. Its name is its alone."""
    last = (len(message) - 1) // size
    return ([name, place, place == last, message[place * size : (place + 1) * size]] for place in range(last + 1))


class Parts:
    """Messages that are on their way to one worker."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[bytes]] = {}
        self._size = 0

    def take(self, name: str, place: int, last: bool, data: bytes) -> bytes | None:
        """The message, when its last part has come. One of which a part is missing never comes."""
        parts = self._waiting.setdefault(name, []) if not place else self._waiting.get(name, [])
        if place != len(parts):
            self._give_up(name)
            return None
        parts.append(data)
        self._size += len(data)
        if last:
            self._give_up(name)
            return b"".join(parts)
        while self._size > MAX_WAITING_BYTES:
            self._give_up(next(iter(self._waiting)))
        return None

    def _give_up(self, name: str) -> None:
        self._size -= sum(map(len, self._waiting.pop(name, ())))
