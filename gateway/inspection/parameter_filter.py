"""What may be told of clients' parameters and payloads in logs, as Phoenix's `filter_parameters` says. Pure."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

FILTERED: Final = "[FILTERED]"
DEFAULT_TERMS: Final = ("password", "token")
MAX_DEPTH: Final = 32
"""What is nested deeper is masked, whatever it is called."""
MAX_SHOWN: Final = 4096
"""Characters of one message's parameters in a log line; the rest is cut off."""

ParameterFilter = Callable[[Any], Any]
"""Plain data to the same data, with what nobody is to read masked."""


class DiscardParameters:
    """Masks entries whose name contains a term, and texts that contain `term=`, as in a URL; in any case of letters."""

    def __init__(self, terms: Sequence[str]) -> None:
        if isinstance(terms, str) or not all(map(_is_name, terms)):
            raise TypeError(f"parameters to mask are a list of names or parts of names, not {terms!r}")
        self._terms = tuple(term.casefold() for term in terms)
        self._assignments = tuple(f"{term}=" for term in self._terms)

    def __call__(self, value: Any) -> Any:
        return self._discard(value, MAX_DEPTH)

    def _discard(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return FILTERED if _contains(value, self._assignments) else value
        if not isinstance(value, dict | list | tuple):
            return value
        if not depth:
            return FILTERED
        if isinstance(value, dict):
            return {name: self._discard_entry(name, inner, depth) for name, inner in value.items()}
        return [self._discard(inner, depth - 1) for inner in value]

    def _discard_entry(self, name: Any, value: Any, depth: int) -> Any:
        secret = isinstance(name, str) and _contains(name, self._terms)
        return FILTERED if secret else self._discard(value, depth - 1)


class KeepParameters:
    """Masks everything but what stands below exactly these names (Phoenix's `{:keep, names}`)."""

    def __init__(self, names: Sequence[str]) -> None:
        if isinstance(names, str) or not all(map(_is_name, names)):
            raise TypeError(f"parameters to keep are a list of names, not {names!r}")
        self._names = frozenset(names)

    def __call__(self, value: Any) -> Any:
        return self._keep(value, MAX_DEPTH)

    def _keep(self, value: Any, depth: int) -> Any:
        if not depth or not isinstance(value, dict | list | tuple):
            return FILTERED
        if isinstance(value, dict):
            return {
                name: inner if name in self._names else self._keep(inner, depth - 1) for name, inner in value.items()
            }
        return [self._keep(inner, depth - 1) for inner in value]


def shown(value: Any) -> str:
    """Filtered data in a log line: JSON on one line. Binary data is never shown, only its length."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes of binary data"
    try:
        text = json.dumps(value, ensure_ascii=False, default=kind)
        if not text.isprintable():
            text = json.dumps(value, default=kind)
    except (TypeError, ValueError, RecursionError):
        return kind(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text)} characters)"


def printable(text: str) -> str:
    """A name that a client chose, in a log line: it cannot begin a line of its own."""
    cut = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
    return cut if cut.isprintable() else repr(cut)[1:-1]


def _is_name(term: object) -> bool:
    return isinstance(term, str) and bool(term)


def _contains(text: str, parts: Sequence[str]) -> bool:
    folded = text.casefold()
    return any(part in folded for part in parts)


def kind(value: Any) -> str:
    """What a value is, where the value itself may hold what nobody is to read."""
    return f"<{type(value).__name__}>"
