"""The answers of several generator processes as one. Pure."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final, TypeVar

from tests.load.histogram import Histogram
from tests.load.orders import Driven, Held, Joined, Slice, Visited

_ALIKE: Final = ("at", "seconds", "frame_bytes")
"""What is not added up: the time is the same for all, and so are frames."""

T = TypeVar("T", Joined, Driven, Held, Visited, Slice)


def merged(parts: Sequence[T]) -> T:
    """Counts added, histograms too, slices one by one."""
    kind = type(parts[0])
    return kind(
        **{place.name: _together(place.name, [getattr(part, place.name) for part in parts]) for place in fields(kind)}
    )


def _together(name: str, values: list[Any]) -> Any:
    match values[0]:
        case Histogram():
            total = Histogram()
            for histogram in values:
                total.add(histogram)
            return total
        case str():
            return next(filter(None, values), "")
        case list():
            return [merged(pieces) for pieces in zip(*values, strict=True)]
    return max(values) if name in _ALIKE else sum(values)
