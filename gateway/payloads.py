"""How a payload that a client sent becomes the argument of a method. Pure."""

import inspect
import re
import typing
from collections.abc import Callable, Iterable
from types import UnionType
from typing import Any, Final, NamedTuple, Protocol, Union

import msgspec

from roost.gateway.inspection.places import place
from roost.shared.serializer import Payload, Raw


class InvalidPayload(ValueError):
    """A client's payload is not what the method takes; the text says where and why."""

    def __init__(self, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.field = field
        """Which part of the payload, such as `items[0].name`; None if it is the whole."""

    def reason(self) -> dict[str, str]:
        """What the client is told."""
        where = {} if self.field is None else {"field": self.field}
        return {"reason": "invalid payload", "detail": str(self), **where}


class Argument:
    """Makes a method's argument from the payload that a client sent."""

    __slots__ = ("_annotated", "_readers")

    def __init__(self, method: Callable[..., Any]) -> None:
        self._annotated = method
        self._readers: _Readers | None = None

    @property
    def annotation(self) -> Any:
        """With what the method's last parameter is annotated; Any if it is not. Raises NameError."""
        parameter = list(inspect.signature(self._annotated).parameters)[-1]
        return typing.get_type_hints(self._annotated, include_extras=True).get(parameter, Any)

    def check(self) -> None:
        """Raises TypeError, with the line and the reason, for an annotation that nothing can be decoded to."""
        try:
            self._readers = _readers(self.annotation)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise TypeError(
                f"a payload is annotated with what JSON cannot be decoded to: {reason} ({place(self._annotated)})"
            ) from error

    def read(self, payload: Payload) -> Any:
        """The argument. Raises InvalidPayload."""
        if self._readers is None:
            self._readers = _readers(self.annotation)
        json, takes_binary = self._readers
        if not isinstance(payload, Raw):
            if not takes_binary:
                raise InvalidPayload("the payload is binary, JSON was expected")
            return payload
        if json is None:
            raise InvalidPayload("the payload is JSON, binary was expected")
        return payload if json is _RAW else _decode(json, payload)


def read_any(payload: Payload) -> Any:
    """A payload as plain Python values, or bytes. Raises InvalidPayload."""
    return _decode(_ANY, payload) if isinstance(payload, Raw) else payload


def is_pydantics(annotation: Any) -> bool:
    """Whether pydantic has to read it, for one of its models, dataclasses or fields is in it; it is not imported."""
    kind = annotation if isinstance(annotation, type) else type(annotation)
    if hasattr(kind, "__pydantic_validator__") or kind.__module__.startswith(_PYDANTICS):
        return True
    return any(map(is_pydantics, typing.get_args(annotation)))


class _Decoder(Protocol):
    def decode(self, payload: Any, /) -> Any:
        """The value of a JSON text."""


class _Readers(NamedTuple):
    """How an annotation takes payloads."""

    json: _Decoder | None
    """None if JSON is not taken."""
    binary: bool


class _Pydantic:
    """Reads what pydantic validates."""

    def __init__(self, annotation: Any) -> None:
        from pydantic import TypeAdapter

        self._adapter = TypeAdapter(annotation)

    def decode(self, payload: Raw) -> Any:
        """The value of a JSON text."""
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(bytes(payload))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InvalidPayload(first["msg"], _path(first["loc"]) or None) from None


def _part(kind: Any, value: Any) -> Any:
    """A part of a msgspec Struct or a dataclass that msgspec does not know: one of pydantic's models, maybe."""
    if not is_pydantics(kind):
        raise NotImplementedError(f"JSON is not decoded to {kind!r}")
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = _path(first["loc"])
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None


_PYDANTICS: Final = ("pydantic.", "annotated_types")
"""Modules of what stands in an annotation for pydantic alone, `Field(gt=0)` say."""
_ANY: Final = msgspec.json.Decoder()
_RAW: Final = msgspec.json.Decoder(Raw)
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$")
_NAMED: Final = re.compile(r"(?:missing required|contains unknown) field `(.*?)`")


def _readers(annotation: Any) -> _Readers:
    if annotation is Any:
        return _Readers(_ANY, binary=True)
    members = typing.get_args(annotation) if typing.get_origin(annotation) in (Union, UnionType) else (annotation,)
    json = tuple(member for member in members if member is not bytes)
    binary = len(json) < len(members)
    if Raw in json:
        return _Readers(_RAW, binary)
    if not json:
        return _Readers(None, binary)
    wanted: Any = Union[json]  # noqa: UP007 - a tuple
    if is_pydantics(wanted):
        return _Readers(_Pydantic(wanted), binary)
    return _Readers(msgspec.json.Decoder(wanted, dec_hook=_part), binary)


def _decode(decoder: _Decoder, payload: Raw) -> Any:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise InvalidPayload(str(error), _field(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPayload(str(error)) from None


def _field(text: str) -> str | None:
    """The part of the payload that msgspec's sentence is about."""
    place = _PLACE.search(text)
    named = _NAMED.search(text)
    return ".".join(part for part in (place and place[1], named and named[1]) if part) or None


def _path(location: Iterable[str | int]) -> str:
    """As msgspec writes it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
