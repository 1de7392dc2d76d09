"""The limits of a worker: how many connections it takes, and what it keeps for itself. Pure."""

from typing import Final

import msgspec

from roost.shared.config import DEFAULT_MAX_CONNECTIONS, Settings

RESERVED_DESCRIPTORS: Final = 256
"""Descriptors of a worker that are not for clients: sockets to shards, files, an application's own."""


class Limits(msgspec.Struct, frozen=True):
    """How many connections a worker takes."""

    max_connections: int = DEFAULT_MAX_CONNECTIONS
    """At the limit clients are answered 503 (a worker never just stops accepting)."""
    max_connections_per_address: int = 0
    """At the limit clients of that address are answered 429; 0 for no limit."""


def limits_of(settings: Settings) -> Limits:
    """The limits that the settings say."""
    return Limits(settings.max_connections, settings.max_connections_per_address)
