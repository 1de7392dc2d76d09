"""Vector clocks: for each replica the highest number up to which everything of it is known. Pure."""

from collections.abc import Container, Iterable, Mapping

Clock = Mapping[str, int]


def dominates(one: Clock, other: Clock) -> bool:
    """Whether `one` knows all that `other` knows."""
    return all(one.get(replica, 0) >= number for replica, number in other.items())


def undominated(clocks: Iterable[tuple[str, Clock]]) -> list[tuple[str, Clock]]:
    """Those of the named clocks that no other one dominates; of equal ones the first."""
    kept: list[tuple[str, Clock]] = []
    for name, clock in clocks:
        if any(dominates(other, clock) for _, other in kept):
            continue
        kept = [one for one in kept if not dominates(clock, one[1])]
        kept.append((name, clock))
    return kept


def upper_bound(one: Clock, other: Clock) -> dict[str, int]:
    """What both together know."""
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()}


def only(clock: Clock, replicas: Container[str]) -> dict[str, int]:
    """The clock as far as it is about these replicas."""
    return {name: number for name, number in clock.items() if name in replicas}
