"""Event methods of a channel class: how they are declared. Pure."""

import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar

from roost.gateway.payloads import Argument

F = TypeVar("F", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__roost_event__"
_INTERCEPTED: Final = "__roost_intercepted__"
_REPLY: Final = "__roost_reply__"

CALLBACKS: Final = {
    "join": ("params",),
    "joined": (),
    "handle_in": ("event", "payload"),
    "handle_out": ("event", "payload"),
    "handle_info": ("message",),
    "handle_call": ("question",),
    "terminate": ("reason",),
}
"""Methods that Roost calls and that must be async, with what they are given."""


class UnknownEvent(LookupError):
    """A client sent an event for which its channel has no method. Ends the channel, as in Phoenix."""

    def __init__(self, channel: type, event: Any) -> None:
        if isinstance(event, str):
            wanted = f'the event {event!r}: write one with @event("{event}")'
        else:
            wanted = "an event that is no text"
        super().__init__(f"{channel.__name__} has no method for {wanted}")


def event(name: str, *, reply: Any = None) -> Callable[[F], F]:
    """Mark a method as the handler of an event: `async def method(self, payload)`.

    The payload's annotation says how it arrives: `dict` or another type that JSON decodes to, a msgspec Struct, a
    dataclass or a pydantic model among them (the client gets an error reply that names the field if it sent something
    else), `bytes` for binary payloads, or `Raw`, the JSON text itself, never parsed, for payloads that only pass
    through. `reply` is the type of what its `Ok` carries, for `roost schema`.
    """
    if not isinstance(name, str):
        raise TypeError('write @event("name"), with the name of the event')

    def mark(method: F) -> F:
        setattr(method, _ATTRIBUTE, name)
        setattr(method, _REPLY, reply)
        return method

    return mark


def intercept(name: str) -> Callable[[F], F]:
    """Mark a method as the place through which an event broadcast on the topic goes: `async def method(self, payload)`.

    The client sees only what the method pushes. Each subscriber's channel is then run for each such broadcast.
    """
    if not isinstance(name, str):
        raise TypeError('write @intercept("name"), with the name of the event')

    def mark(method: F) -> F:
        setattr(method, _INTERCEPTED, name)
        return method

    return mark


class EventMethod:
    """One handler of one event."""

    __slots__ = ("argument", "call")

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        self.argument = Argument(call)

    @property
    def reply(self) -> Any:
        """The type of what its `Ok` carries, if it was declared."""
        return getattr(self.call, _REPLY, None)


def check_callback(home: type, name: str, *given: str) -> None:
    """Raises TypeError, with the right form, unless the method is async and takes what it will be given."""
    method = getattr(home, name)
    form = f"write `async def {name}({', '.join(('self', *given))})`"
    if not inspect.iscoroutinefunction(method):
        raise TypeError(f"{home.__name__}.{name} must be async: {form}")
    try:
        inspect.signature(method).bind(None, *given)
    except TypeError:
        what = " and ".join(given) if len(given) < 3 else f"{', '.join(given[:-1])} and {given[-1]}"
        raise TypeError(f"{home.__name__}.{name} is given {what or 'nothing'}: {form}") from None


def find_event_methods(channel: type) -> dict[str, EventMethod]:
    """The event methods of a channel class and its bases, by event. Raises TypeError where one is written wrongly."""
    found: dict[str, EventMethod] = {}
    for name, method in inspect.getmembers(channel, inspect.isfunction):
        event_name = getattr(method, _ATTRIBUTE, None)
        if event_name is None and name not in CALLBACKS:
            continue
        check_callback(channel, name, *(CALLBACKS[name] if event_name is None else ("payload",)))
        if event_name is None:
            continue
        if event_name in found:
            raise TypeError(f"{channel.__name__} has two methods for the event {event_name!r}")
        found[event_name] = EventMethod(method)
    return found


def find_intercept_methods(channel: type) -> dict[str, Callable[..., Any]]:
    """The methods marked with `intercept` of a channel class and its bases, by event. Raises TypeError."""
    found: dict[str, Callable[..., Any]] = {}
    for name, method in inspect.getmembers(channel, inspect.isfunction):
        event_name = getattr(method, _INTERCEPTED, None)
        if event_name is None:
            continue
        check_callback(channel, name, "payload")
        if event_name in found:
            raise TypeError(f"{channel.__name__} has two methods that intercept {event_name!r}")
        found[event_name] = method
    return found
