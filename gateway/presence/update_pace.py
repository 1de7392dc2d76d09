"""How often one presence may be updated: updates that come sooner are merged into the next. Pure."""

from collections.abc import Iterator

Place = tuple[int, str, str]
"""Owner, topic, key."""


class UpdatePace:
    """When each presence was updated last, and what waits."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._free_at: dict[Place, float] = {}
        """When each of those that were updated a moment ago may be updated again; the earliest first."""
        self._waiting: dict[Place, tuple[bytes, str]] = {}

    def admits(self, place: Place, now: float) -> bool:
        """Whether an update may be made now; then it is, and the next one has to wait."""
        if self._free_at.get(place, now) > now or place in self._waiting:
            return False
        self._start(place, now)
        return True

    def waiting(self, place: Place) -> bytes | None:
        """The meta that waits to be set."""
        waits = self._waiting.get(place)
        return waits[0] if waits else None

    def wait(self, place: Place, meta: bytes, reference: str) -> None:
        """Set this meta as soon as may be, in place of what waits."""
        self._waiting[place] = meta, reference

    def take(self, now: float) -> Iterator[tuple[Place, bytes, str]]:
        """What waited and may be set now."""
        while self._free_at:
            place, free_at = next(iter(self._free_at.items()))
            if free_at > now:
                return
            del self._free_at[place]
            if place in self._waiting:
                meta, reference = self._waiting.pop(place)
                self._start(place, now)
                yield place, meta, reference

    def due(self) -> float | None:
        """When `take` has something to give or to forget."""
        return next(iter(self._free_at.values()), None)

    def forget(self, place: Place) -> None:
        """The presence is no more."""
        self._free_at.pop(place, None)
        self._waiting.pop(place, None)

    def _start(self, place: Place, now: float) -> None:
        self._free_at.pop(place, None)
        self._free_at[place] = now + self._period
