"""The limits of a worker that a running node can be given anew: `roost config set`. Pure."""

import msgspec

from roost.shared.config import Settings


class Limits(msgspec.Struct, frozen=True):
    """How many connections a worker takes."""

    max_connections: int = 16_384
    """At the limit clients are answered 503 (ranch's default; a worker never just stops accepting)."""
    max_connections_per_address: int = 0
    """At the limit clients of that address are answered 429; 0 for no limit."""


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings say."""
    return Limits(settings.max_connections, settings.max_connections_per_address)
