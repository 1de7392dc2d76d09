"""How a fault is planted: a rule of the real cores, or a step of the shells, is replaced for one run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from unittest.mock import patch

Replacement = Callable[..., Any]
Fault = Callable[[Any, str, Replacement], None]


class Planted(NamedTuple):
    """One fault."""

    rule: str
    seed: int | None
    """The first seed that shows it; None: a scene of `test_scenes` does."""
    plant: Callable[[Callable[..., None]], None]


FAULTS: Final[dict[str, Planted]] = {}


def fault(rule: str, seed: int | None) -> Callable[[Callable[[Callable[..., None]], None]], None]:
    """Register a fault: the rule that it takes away, and the first seed that shows it."""

    def register(plant: Callable[[Callable[..., None]], None]) -> None:
        FAULTS[plant.__name__] = Planted(rule, seed, plant)

    return register


@contextmanager
def planted(name: str) -> Iterator[None]:
    """While this lasts, the fault is in the code."""
    patches: list[Any] = []

    def replace(owner: Any, attribute: str, make: Callable[[Any], Any]) -> None:
        """Put what `make` makes of the original in its place."""
        patches.append(patch.object(owner, attribute, make(getattr(owner, attribute))))
        patches[-1].start()

    try:
        FAULTS[name].plant(replace)
        yield
    finally:
        for one in reversed(patches):
            one.stop()


def always(*, answer: Any = None) -> Callable[[Any], Any]:
    """A method that answers the same whatever it is asked."""
    return lambda original: lambda *arguments, **named: answer


def after(then: Callable[..., None]) -> Callable[[Any], Any]:
    """A method that does something more to its object when it is through."""

    def make(original: Any) -> Any:
        def method(self: Any, *arguments: Any, **named: Any) -> Any:
            result = original(self, *arguments, **named)
            then(self, *arguments, **named)
            return result

        return method

    return make


def before(first: Callable[..., None]) -> Callable[[Any], Any]:
    """A method that does something to its object first."""

    def make(original: Any) -> Any:
        def method(self: Any, *arguments: Any, **named: Any) -> Any:
            first(self, *arguments, **named)
            return original(self, *arguments, **named)

        return method

    return make


def instead(method: Callable[..., Any]) -> Callable[[Any], Any]:
    """Another method."""
    return lambda original: method
