"""The limits of a presence, and what is answered at each of them. Pure."""

from dataclasses import dataclass
from typing import Final

MAX_KEY_BYTES: Final = 1024
"""As for the other names on the wire."""


@dataclass(frozen=True)
class PresenceLimits:
    """Validated once, when a presence's class is made."""

    window: float = 0.05
    """Seconds in which a topic's changes are merged into one diff; the first after a quiet window does not wait."""
    max_meta_bytes: int = 4096
    """JSON bytes of one meta. At the limit: `meta_too_large`."""
    max_topic_presences: int = 100_000
    """Presences in one topic, counted as this worker knows them. At the limit: `topic_full`."""
    max_channel_presences: int = 100
    """Presences of one channel or task. At the limit: `too_many_presences`."""
    update_period: float = 0.1
    """Seconds between two updates of one presence; those that come sooner are merged into the next."""
    callback_limit: float = 5.0
    """Seconds for `fetch` of a diff, which then goes out with nothing but references, and for `handle_metas`."""

    def __post_init__(self) -> None:
        """Raises ValueError with one sentence."""
        for name in ("max_meta_bytes", "max_topic_presences", "max_channel_presences"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)!r}")
        for name in ("window", "update_period"):
            if not 0 <= getattr(self, name) <= 60:
                raise ValueError(f"{name} is seconds from 0 to 60, not {getattr(self, name)!r}")
        if not 0 < self.callback_limit <= 3600:
            raise ValueError(f"callback_limit is seconds up to 3600, not {self.callback_limit!r}")
