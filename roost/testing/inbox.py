"""What has arrived in a test, and what a test expects of it. Pure."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from roost.client.messages import CLOSED, CRASHED, REPLIED, ServerMessage


class _Anything:
    """Matches every payload."""

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "ANY"


ANY: Final[Any] = _Anything()
"""In an expected payload, or instead of one: whatever it is."""

Expected = Any | Callable[[Any], object]
"""A payload that is equal, or a function that is true of it."""

MAX_SHOWN: Final = 20
"""Messages that a failing assertion shows."""


class Inbox:
    """Messages in the order in which they came; those that an assertion has taken are gone."""

    def __init__(self) -> None:
        self._messages: list[ServerMessage] = []

    def add(self, message: ServerMessage) -> None:
        """A message came."""
        self._messages.append(message)

    def take(self, wanted: Callable[[ServerMessage], bool]) -> ServerMessage | None:
        """The first that is wanted, if there is one."""
        for number, message in enumerate(self._messages):
            if wanted(message):
                return self._messages.pop(number)
        return None

    def clear(self) -> None:
        """Forget what has come."""
        self._messages.clear()

    def show(self) -> str:
        """What is there, for a person."""
        return show_messages(self._messages)


def fits(expected: Expected, payload: Any) -> bool:
    """Whether a payload is what was expected."""
    if callable(expected) and expected is not ANY:
        return bool(expected(payload))
    return bool(expected == payload)


def is_push(message: ServerMessage) -> bool:
    """Whether it is an event of the application's, pushed or broadcast."""
    return message.event not in (REPLIED, CLOSED, CRASHED)


def show_messages(messages: Iterable[ServerMessage]) -> str:
    """One a line."""
    lines = [f"  {_show(message)}" for message in messages]
    if len(lines) > MAX_SHOWN:
        lines = [*lines[:MAX_SHOWN], f"  and {len(lines) - MAX_SHOWN} more"]
    return "\n".join(["what did arrive:", *lines]) if lines else "nothing arrived"


def show_payload(payload: Any) -> str:
    """As JSON where it is plain data."""
    try:
        return json.dumps(payload, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(payload)


def _show(message: ServerMessage) -> str:
    payload = show_payload(message.payload)
    if message.status is not None:
        return f"reply to ref {message.ref} on {message.topic!r}: {message.status} {payload}"
    return f"{message.event!r} on {message.topic!r}: {payload}"
