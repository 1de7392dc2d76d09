"""Event methods of a channel class: how they are declared, and how a payload becomes their argument. Pure."""

import inspect
import typing
from collections.abc import Callable
from types import UnionType
from typing import Any, Final, NamedTuple, TypeVar, Union

import msgspec

from roost.shared.serializer import Payload, Raw

F = TypeVar("F", bound=Callable[..., Any])

_ATTRIBUTE: Final = "__roost_event__"
_INTERCEPTED: Final = "__roost_intercepted__"
_ANY: Final = msgspec.json.Decoder()

CALLBACKS: Final = ("join", "joined", "handle_in", "handle_out", "handle_info", "handle_call", "terminate")
"""Methods that Roost calls and that must be async."""


class InvalidPayload(ValueError):
    """A client's payload is not what the method takes; the text says where and why."""


class UnknownEvent(LookupError):
    """A client sent an event for which its channel has no method. Ends the channel, as in Phoenix."""

    def __init__(self, channel: type, event: Any) -> None:
        if isinstance(event, str):
            wanted = f'the event {event!r}: write one with @event("{event}")'
        else:
            wanted = "an event that is no text"
        super().__init__(f"{channel.__name__} has no method for {wanted}")


def event(name: str) -> Callable[[F], F]:
    """Mark a method as the handler of an event: `async def method(self, payload)`.

    The payload's annotation says how it arrives: `dict` or another type that JSON decodes to (the client gets an error
    reply if it sent something else), `bytes` for binary payloads, or `Raw`, the JSON text itself, never parsed, for
    payloads that only pass through.
    """
    if not isinstance(name, str):
        raise TypeError('write @event("name"), with the name of the event')

    def mark(method: F) -> F:
        setattr(method, _ATTRIBUTE, name)
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


class Argument:
    """Makes a method's argument from the payload that a client sent."""

    __slots__ = ("_annotated", "_readers")

    def __init__(self, method: Callable[..., Any]) -> None:
        self._annotated = method
        self._readers: _Readers | None = None

    def read(self, payload: Payload) -> Any:
        """The argument. Raises InvalidPayload."""
        if self._readers is None:
            self._readers = _readers(self._annotated)
        json, takes_binary = self._readers
        if not isinstance(payload, Raw):
            if not takes_binary:
                raise InvalidPayload("the payload is binary, JSON was expected")
            return payload
        if json is None:
            raise InvalidPayload("the payload is JSON, binary was expected")
        return payload if json is _RAW else _decode(json, payload)


class _Readers(NamedTuple):
    """How a method's annotation takes payloads."""

    json: msgspec.json.Decoder[Any] | None
    """None if JSON is not taken."""
    binary: bool


_RAW: Final = msgspec.json.Decoder(Raw)


def read_any(payload: Payload) -> Any:
    """A payload as plain Python values, or bytes. Raises InvalidPayload."""
    return _decode(_ANY, payload) if isinstance(payload, Raw) else payload


def _decode(decoder: msgspec.json.Decoder[Any], payload: Raw) -> Any:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPayload(str(error)) from None


class EventMethod:
    """One handler of one event."""

    __slots__ = ("argument", "call")

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call
        self.argument = Argument(call)


def event_methods(channel: type) -> dict[str, EventMethod]:
    """The event methods of a channel class and its bases, by event. Raises TypeError where one is written wrongly."""
    found: dict[str, EventMethod] = {}
    for name, method in inspect.getmembers(channel, inspect.isfunction):
        event_name = getattr(method, _ATTRIBUTE, None)
        if event_name is None and name not in CALLBACKS:
            continue
        if not inspect.iscoroutinefunction(method):
            raise TypeError(f"{channel.__name__}.{name} must be async: write `async def {name}(...)`")
        if event_name is None:
            continue
        if len(inspect.signature(method).parameters) != 2:
            raise TypeError(f"{channel.__name__}.{name} handles an event: write `async def {name}(self, payload)`")
        if event_name in found:
            raise TypeError(f"{channel.__name__} has two methods for the event {event_name!r}")
        found[event_name] = EventMethod(method)
    return found


def intercept_methods(channel: type) -> dict[str, Callable[..., Any]]:
    """The methods marked with `intercept` of a channel class and its bases, by event. Raises TypeError."""
    found: dict[str, Callable[..., Any]] = {}
    for name, method in inspect.getmembers(channel, inspect.isfunction):
        event_name = getattr(method, _INTERCEPTED, None)
        if event_name is None:
            continue
        if not inspect.iscoroutinefunction(method) or len(inspect.signature(method).parameters) != 2:
            raise TypeError(f"{channel.__name__}.{name} intercepts an event: write `async def {name}(self, payload)`")
        if event_name in found:
            raise TypeError(f"{channel.__name__} has two methods that intercept {event_name!r}")
        found[event_name] = method
    return found


def _readers(method: Callable[..., Any]) -> _Readers:
    """For the type with which the method's last parameter is annotated; anything is taken, if it is not."""
    parameter = list(inspect.signature(method).parameters)[-1]
    annotation = typing.get_type_hints(method).get(parameter, Any)
    if annotation is Any:
        return _Readers(_ANY, binary=True)
    members = typing.get_args(annotation) if typing.get_origin(annotation) in (Union, UnionType) else (annotation,)
    json = tuple(member for member in members if member is not bytes)
    if Raw in json:
        return _Readers(_RAW, binary=len(json) < len(members))
    return _Readers(msgspec.json.Decoder(Union[json]) if json else None, binary=len(json) < len(members))  # noqa: UP007
