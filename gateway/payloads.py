"""How a payload that a client sent becomes the argument of a method. Pure."""

import inspect
import re
import typing
from collections.abc import Callable, Iterable
from types import UnionType
from typing import Any, Final, NamedTuple, Protocol, Union

import msgspec

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
        """With what the method's last parameter is annotated; Any if it is not."""
        parameter = list(inspect.signature(self._annotated).parameters)[-1]
        return typing.get_type_hints(self._annotated).get(parameter, Any)

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


def is_pydantic_model(annotation: Any) -> bool:
    """Whether it is a model of pydantic, which is not imported for that."""
    return isinstance(annotation, type) and hasattr(annotation, "model_validate_json")


class _Decoder(Protocol):
    def decode(self, payload: Any, /) -> Any:
        """The value of a JSON text."""


class _Readers(NamedTuple):
    """How an annotation takes payloads."""

    json: _Decoder | None
    """None if JSON is not taken."""
    binary: bool


class _Model:
    """Reads what a pydantic model validates."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def decode(self, payload: Raw) -> Any:
        """A JSON text that msgspec has let through."""
        try:
            return self._model.model_validate_json(bytes(payload))
        except ValueError as error:
            found: Callable[..., list[dict[str, Any]]] | None = getattr(error, "errors", None)
            if found is None:
                raise InvalidPayload(str(error)) from None
            first = found(include_url=False)[0]
            raise InvalidPayload(first["msg"], _path(first["loc"]) or None) from None


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
    if len(json) == 1 and is_pydantic_model(json[0]):
        return _Readers(_Model(json[0]), binary)
    return _Readers(msgspec.json.Decoder(Union[json]) if json else None, binary)  # noqa: UP007


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
