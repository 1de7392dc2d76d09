"""An inventory: what an endpoint's channels take and send, as JSON Schemas. Pure."""

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
"""JSON Schema, draft 2020-12."""


@dataclass(frozen=True)
class EventSchema:
    """An event that clients send."""

    payload: Schema
    reply: Schema | None
    """Of what an `ok` carries; None if nobody said."""


@dataclass(frozen=True)
class ChannelSchema:
    """What serves a topic pattern."""

    name: str
    """The class."""
    socket: str
    """Where its socket is mounted."""
    pattern: str
    description: str
    join: Schema
    events: dict[str, EventSchema]
    sends: dict[str, Schema]
    others: bool
    """Whether other events are taken, by `handle_in`."""


@dataclass(frozen=True)
class Inventory:
    """All of an endpoint."""

    channels: tuple[ChannelSchema, ...]
    types: dict[str, Schema]
    """What the others refer to as `#/components/schemas/NAME`."""
