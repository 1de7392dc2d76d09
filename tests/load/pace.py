"""When messages of an open loop are due, at one rate or over a day. Pure."""

from collections.abc import Iterator
from math import cos, pi
from typing import Final

_NIGHT: Final = 0.1
"""What is left of the busiest hour's activity at the quietest."""
_QUIETEST: Final = 4 / 24
"""Four in the morning."""


def activity(fraction: float) -> float:
    """How busy a chat service is at a time of the day (0 is midnight, 0.5 noon), against its busiest hour."""
    return _NIGHT + (1 - _NIGHT) * (1 - cos(2 * pi * (fraction - _QUIETEST))) / 2


def dues(start: int, rate: float, day: int | None) -> Iterator[int]:
    """When each message is due, in ns; over a day of so many ns, the rate is that of its busiest hour."""
    due = float(start)
    while True:
        yield int(due)
        busy = activity((due - start) / day) if day else 1.0
        due += 1e9 / (rate * busy)
