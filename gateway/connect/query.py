"""Query strings as Plug decodes them: `a[b]=1` is a map, `a[]=1` a list, every other value a string. Pure."""

from typing import Any, Final
from urllib.parse import unquote_plus

MAX_NESTING: Final = 32
"""Brackets of one name; with more the query is refused."""

_Key = str | None
"""None stands for the empty brackets of a list."""


class BadQuery(ValueError):
    """The query cannot be decoded; the text says why."""


class _Branch:
    """What all names with the same beginning lead to, in the order in which they came."""

    __slots__ = ("branches", "entries")

    def __init__(self) -> None:
        self.branches: dict[_Key, _Branch] = {}
        self.entries: list[tuple[_Key, Any]] = []

    def add(self, keys: list[_Key], value: str) -> None:
        """Put a value under its keys. A branch has its place in the order where its first name came."""
        branch = self
        for key in keys[:-1]:
            below = branch.branches.get(key)
            if below is None:
                below = branch.branches[key] = _Branch()
                branch.entries.append((key, below))
            branch = below
        branch.entries.append((keys[-1], value))

    def value(self) -> dict[str, Any] | list[Any]:
        """The last name says whether it is a list; what does not fit is dropped, and of two the later one stands."""
        if self.entries[-1][0] is None:
            return [_value(entry) for key, entry in self.entries if key is None]
        return {key: _value(entry) for key, entry in self.entries if key is not None}


def decode_query(query: str) -> dict[str, Any]:
    """The parameters of a query string. Malformed escapes are taken as they are. Raises BadQuery."""
    parts = [part.partition("=") for part in query.split("&") if part]
    if "[" not in query and "%" not in query:  # most queries: no brackets, nor anything that may turn out to be one
        return {_decode(name): _decode(value) for name, _, value in parts}
    root = _Branch()
    for name, _, value in parts:
        root.add(_keys(_decode(name)), _decode(value))
    return {str(key): _value(entry) for key, entry in root.entries}


def _value(entry: Any) -> Any:
    return entry.value() if isinstance(entry, _Branch) else entry


def _keys(name: str) -> list[_Key]:
    """`a[b][]` is a, b and None; a name whose brackets are not in order is one key as it stands."""
    at = name.find("[")
    if at <= 0 or not name.endswith("]"):
        return [name]
    brackets = name[at + 1 : -1].split("][")
    if len(brackets) > MAX_NESTING:
        raise BadQuery(f"the query string nests more than {MAX_NESTING} deep")
    return [name[:at], *(key or None for key in brackets)]


def _decode(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise BadQuery("the query string is not valid UTF-8") from None
