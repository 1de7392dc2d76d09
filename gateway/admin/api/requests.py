"""What programs send to the HTTP API, and how it is read. Pure."""

import re
from typing import Any, Final

import msgspec

from roost.gateway.bus.repeats import MAX_KEY_LENGTH
from roost.shared.acting import MAX_OUTSIDE_EVENTS, BroadcastEvents, OutsideEvent
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import application_topic

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""Of a request; a larger one is answered 413."""
MAX_LIMIT: Final = 1000
"""Rows of an answer."""
DEFAULT_LIMIT: Final = 100
KEY: Final = re.compile(rf"[!-~]{{1,{MAX_KEY_LENGTH}}}")


class BadRequest(ValueError):
    """The request cannot be carried out as it is; the text says what is wrong with it."""


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event."""

    topic: str
    event: str
    payload: dict[str, Any] = {}


class Events(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several events, published in order, all of them or none."""

    events: list[Event]


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to disconnect."""

    id: str
    """A socket's id, or its name WORKER.NUMBER."""


_broadcast: Final = msgspec.json.Decoder(Event)
_broadcasts: Final = msgspec.json.Decoder(Events)
_named: Final = msgspec.json.Decoder(Named)
_has_events: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_broadcast(body: bytes, key: str | None) -> BroadcastEvents:
    """One event, or several under `events`, under a key if one is given. Raises BadRequest."""
    if key is not None and not KEY.fullmatch(key):
        raise BadRequest(f"an idempotency key is 1 to {MAX_KEY_LENGTH} characters from ! to ~")
    several = "events" in _decode(_has_events, body)
    events = _decode(_broadcasts, body).events if several else [_decode(_broadcast, body)]
    if not 1 <= len(events) <= MAX_OUTSIDE_EVENTS:
        raise BadRequest(f"1 to {MAX_OUTSIDE_EVENTS} events can be published at once, not {len(events)}")
    return BroadcastEvents(tuple(_event(number, event) for number, event in enumerate(events)), key=key or "")


def read_name(body: bytes) -> str:
    """Whom to disconnect. Raises BadRequest."""
    name: str = _decode(_named, body).id
    if not name:
        raise BadRequest("id is empty")
    return name


def read_limit(text: str | None) -> int:
    """How many rows are asked for. Raises BadRequest."""
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:10]) <= MAX_LIMIT:
        raise BadRequest(f"limit is a number from 1 to {MAX_LIMIT}, not {text!r}")
    return int(text)


def _event(number: int, event: Event) -> OutsideEvent:
    if not event.topic:
        raise BadRequest(f"event {number}: topic is empty")
    try:
        form, data = encode_broadcast(application_topic(event.topic), event.event, event.payload)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"event {number}: {error}") from None
    return OutsideEvent(event.topic, event.event, data, form)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not as it should be: {error}") from None
