"""How long the fields around a payload may be: they are kept, echoed and looked up, the payload is not. Pure."""

from typing import Any, Final

from roost.shared.serializer import BadClientMessage, Message, encode_json

MAX_FIELD_BYTES: Final = 1024
"""Bytes of a topic, an event, a ref or a join_ref. A message of not more bytes need not be looked at: JSON's escapes
make a text longer, never shorter."""


def check_fields(message: Message) -> None:
    """Raises BadClientMessage if a field is too long."""
    for name in ("topic", "event", "ref", "join_ref"):
        if _size(getattr(message, name)) > MAX_FIELD_BYTES:
            raise BadClientMessage(f"the {name} is longer than {MAX_FIELD_BYTES} bytes")


def _size(value: Any) -> int:
    """Bytes of a text; of any other value those of its JSON."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode())
    return len(encode_json(value))
