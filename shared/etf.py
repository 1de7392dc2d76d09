"""Erlang's external term format, for the terms that JSON can express and tuples of them. Pure.

The format is described at https://www.erlang.org/doc/apps/erts/erl_ext_dist. What is written is what `term_to_binary`
writes on OTP 26 and later; what is read is what any release writes.
"""

import math
import struct
from collections.abc import Callable
from typing import Any, Final

VERSION: Final = 131
MAX_DEPTH: Final = 64
"""Terms nested deeper are neither written nor read."""

_SMALL_INTEGER: Final = 97
_INTEGER: Final = 98
_FLOAT: Final = 70
_ATOM: Final = 100
_SMALL_TUPLE: Final = 104
_LARGE_TUPLE: Final = 105
_NIL: Final = 106
_STRING: Final = 107
_LIST: Final = 108
_BINARY: Final = 109
_SMALL_BIG: Final = 110
_LARGE_BIG: Final = 111
_SMALL_ATOM: Final = 115
_MAP: Final = 116
_ATOM_UTF8: Final = 118
_SMALL_ATOM_UTF8: Final = 119

_MAX_STRING: Final = 0xFFFF
_CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "nil": None}


class BadTerm(ValueError):
    """The bytes are no term of those that are read, or the value cannot be written as one."""


class Atom(str):
    """An atom other than `true`, `false` and `nil`; equal to the string of the same text."""

    __slots__ = ()


def encode_term(term: Any) -> bytes:
    """A term with the version in front. Raises BadTerm."""
    return bytes((VERSION,)) + _encode(term, MAX_DEPTH)


def decode_term(data: bytes) -> Any:
    """The term of exactly these bytes. Binaries are `str` where they are UTF-8, else `bytes`. Raises BadTerm."""
    reader = _Reader(data)
    if reader.byte() != VERSION:
        raise BadTerm("the first byte is not the version of the external term format")
    term = reader.term(MAX_DEPTH)
    reader.end()
    return term


# Writing


def _encode(term: Any, depth: int) -> bytes:
    if depth == 0:
        raise BadTerm(f"terms are nested at most {MAX_DEPTH} deep")
    if term is None or isinstance(term, bool):
        return _atom("nil" if term is None else str(term).lower())
    for kind, encode in _ENCODERS:
        if isinstance(term, kind):
            return encode(term, depth - 1)
    raise BadTerm(f"a {type(term).__name__} cannot be written as a term: use what JSON can express")


def _atom(text: str) -> bytes:
    data = text.encode()
    if len(data) > 255:
        raise BadTerm("an atom has at most 255 bytes")
    return bytes((_SMALL_ATOM_UTF8, len(data))) + data


def _encode_int(number: int, _depth: int) -> bytes:
    if 0 <= number <= 255:
        return bytes((_SMALL_INTEGER, number))
    if -(2**31) <= number < 2**31:
        return struct.pack(">Bi", _INTEGER, number)
    magnitude = abs(number)
    digits = magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "little")
    head = (
        bytes((_SMALL_BIG, len(digits), number < 0))
        if len(digits) <= 255
        else struct.pack(">BIB", _LARGE_BIG, len(digits), number < 0)
    )
    return head + digits


def _encode_float(number: float, _depth: int) -> bytes:
    if not math.isfinite(number):
        raise BadTerm(f"{number} is no float in Erlang")
    return struct.pack(">Bd", _FLOAT, number)


def _encode_str(text: str, depth: int) -> bytes:
    try:
        return _encode_bytes(text.encode(), depth)
    except UnicodeEncodeError as error:
        raise BadTerm(str(error)) from None


def _encode_bytes(data: bytes, _depth: int) -> bytes:
    return struct.pack(">BI", _BINARY, len(data)) + data


def _encode_list(items: list[Any], depth: int) -> bytes:
    if not items:
        return bytes((_NIL,))
    if len(items) <= _MAX_STRING and all(type(item) is int and 0 <= item <= 255 for item in items):
        return struct.pack(">BH", _STRING, len(items)) + bytes(items)
    parts = [_encode(item, depth) for item in items]
    return struct.pack(">BI", _LIST, len(items)) + b"".join(parts) + bytes((_NIL,))


def _encode_tuple(items: tuple[Any, ...], depth: int) -> bytes:
    head = bytes((_SMALL_TUPLE, len(items))) if len(items) <= 255 else struct.pack(">BI", _LARGE_TUPLE, len(items))
    return head + b"".join(_encode(item, depth) for item in items)


def _encode_dict(mapping: dict[Any, Any], depth: int) -> bytes:
    """Binary keys in their order, which is that of Erlang's maps of up to 32 keys."""
    pairs = [(_encode(key, depth), key, value) for key, value in mapping.items()]
    if all(isinstance(key, str | bytes) for key in mapping):
        pairs.sort(key=lambda pair: pair[0][5:])
    parts = [key + _encode(value, depth) for key, _, value in pairs]
    return struct.pack(">BI", _MAP, len(pairs)) + b"".join(parts)


_ENCODERS: Final[tuple[tuple[type, Callable[[Any, int], bytes]], ...]] = (
    (Atom, lambda atom, _: _atom(atom)),
    (str, _encode_str),
    (int, _encode_int),
    (float, _encode_float),
    (bytes, _encode_bytes),
    (list, _encode_list),
    (tuple, _encode_tuple),
    (dict, _encode_dict),
)


# Reading


class _Reader:
    """Takes bytes from the front, never more than there are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise BadTerm("the term ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def end(self) -> None:
        if self._at != len(self._data):
            raise BadTerm("there are bytes behind the term")

    def term(self, depth: int) -> Any:
        if depth == 0:
            raise BadTerm(f"terms are nested at most {MAX_DEPTH} deep")
        tag = self.byte()
        decode = _DECODERS.get(tag)
        if decode is None:
            raise BadTerm(f"terms of tag {tag} are not read")
        return decode(self, depth - 1)

    def terms(self, count: int, depth: int) -> list[Any]:
        if count > len(self._data) - self._at:
            raise BadTerm("the term ends too early")
        return [self.term(depth) for _ in range(count)]


def _decode_float(reader: _Reader, _depth: int) -> float:
    (number,) = struct.unpack(">d", reader.take(8))
    if not math.isfinite(number):
        raise BadTerm("a float that is not finite")
    return float(number)


def _decode_big(reader: _Reader, size: int) -> int:
    negative = reader.byte()
    magnitude = int.from_bytes(reader.take(size), "little")
    return -magnitude if negative else magnitude


def _decode_atom(reader: _Reader, size: int, encoding: str) -> Any:
    try:
        text = reader.take(size).decode(encoding)
    except UnicodeDecodeError as error:
        raise BadTerm(str(error)) from None
    return _CONSTANTS[text] if text in _CONSTANTS else Atom(text)


def _decode_binary(reader: _Reader, _depth: int) -> str | bytes:
    data = reader.take(reader.number(4))
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _decode_list(reader: _Reader, depth: int) -> list[Any]:
    items = reader.terms(reader.number(4), depth)
    if reader.byte() != _NIL:
        raise BadTerm("a list with a tail")
    return items


def _decode_map(reader: _Reader, depth: int) -> dict[Any, Any]:
    count = reader.number(4)
    flat = reader.terms(2 * count, depth)
    try:
        mapping = dict(zip(flat[::2], flat[1::2], strict=True))
    except TypeError:
        raise BadTerm("a map whose keys are lists or maps") from None
    if len(mapping) != count:
        raise BadTerm("a map that has a key twice")
    return mapping


_DECODERS: Final[dict[int, Callable[[_Reader, int], Any]]] = {
    _SMALL_INTEGER: lambda reader, _: reader.byte(),
    _INTEGER: lambda reader, _: int.from_bytes(reader.take(4), "big", signed=True),
    _FLOAT: _decode_float,
    _ATOM: lambda reader, _: _decode_atom(reader, reader.number(2), "latin-1"),
    _SMALL_ATOM: lambda reader, _: _decode_atom(reader, reader.byte(), "latin-1"),
    _ATOM_UTF8: lambda reader, _: _decode_atom(reader, reader.number(2), "utf-8"),
    _SMALL_ATOM_UTF8: lambda reader, _: _decode_atom(reader, reader.byte(), "utf-8"),
    _SMALL_TUPLE: lambda reader, depth: tuple(reader.terms(reader.byte(), depth)),
    _LARGE_TUPLE: lambda reader, depth: tuple(reader.terms(reader.number(4), depth)),
    _NIL: lambda _reader, _depth: [],
    _STRING: lambda reader, _: list(reader.take(reader.number(2))),
    _LIST: _decode_list,
    _BINARY: _decode_binary,
    _SMALL_BIG: lambda reader, _: _decode_big(reader, reader.byte()),
    _LARGE_BIG: lambda reader, _: _decode_big(reader, reader.number(4)),
    _MAP: _decode_map,
}
