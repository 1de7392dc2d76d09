"""Topic patterns: which channel class serves a topic. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Route(Generic[C]):
    """A topic pattern and what serves it: an exact topic, or a prefix followed by one `*` at the end."""

    pattern: str
    channel: C
    assigns: Mapping[str, Any] = field(default_factory=dict)
    """Attributes that each channel gets before it is asked whether the client may join."""

    def __post_init__(self) -> None:
        if not self.pattern or "*" in self.pattern[:-1]:
            raise ValueError(f"a topic pattern is a topic or a prefix with one * at its end, not {self.pattern!r}")

    def match(self, topic: str) -> str | None:
        """The part of the topic that the `*` stands for (empty for an exact pattern), None if it does not match."""
        if self.pattern[-1] == "*":
            prefix = self.pattern[:-1]
            return topic[len(prefix) :] if topic.startswith(prefix) else None
        return "" if topic == self.pattern else None


def find_route(routes: Iterable[Route[C]], topic: str) -> tuple[Route[C], str] | None:
    """The first route in order of declaration that matches, with what its `*` matched."""
    for route in routes:
        if (subtopic := route.match(topic)) is not None:
            return route, subtopic
    return None
