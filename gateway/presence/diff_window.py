"""The changes of one topic that its members have not been told, merged into as few as will do. Pure.

A join and a leave of the same entry cancel each other out. Most members have been told the same; one whose
`presence_state` already showed later changes, or that is not to be told yet, has a mark of its own. Changes carry
numbers that go up and are never the same again.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from roost.gateway.presence.entries import Change, Entry, Joined
from roost.gateway.presence.metas import follow

MAX_KEPT: Final = 10_000
"""Changes kept for members that are not to be told yet; with more they are told nevertheless."""


class Diff(NamedTuple):
    """Who came and who left."""

    joins: list[Entry]
    leaves: list[Entry]

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.joins or self.leaves)


class DiffWindow:
    """One topic's changes since its members were told."""

    def __init__(self, told: int) -> None:
        self.told = told
        """The number up to which everybody was told who has no mark."""
        self.marks: dict[int, int] = {}
        """Members that were told up to another number."""
        self._numbers: list[int] = []
        self._changes: list[Change] = []

    def add(self, number: int, change: Change) -> None:
        """Something changed."""
        self._numbers.append(number)
        self._changes.append(change)

    @property
    def last(self) -> int:
        """The number of the last change."""
        return self._numbers[-1] if self._numbers else self.told

    def pending(self) -> bool:
        """Whether anybody is to be told anything."""
        return bool(self._changes)

    def overflows(self) -> bool:
        """Whether more is kept than may be."""
        return len(self._changes) > MAX_KEPT

    def between(self, mark: int, until: int) -> list[Change]:
        """The changes after `mark` up to `until`."""
        return self._changes[bisect_right(self._numbers, mark) : bisect_right(self._numbers, until)]

    def showed(self, member: int, number: int, *, held: bool) -> None:
        """A member's `presence_state` shows everything up to a number. `held`: it was not told what others were."""
        if held or number > self.marks.get(member, self.told):
            self.marks[member] = number

    def mark(self, member: int) -> int:
        """The number up to which a member was told."""
        return self.marks.get(member, self.told)

    def tell(self, until: int, held: Iterable[int]) -> None:
        """Everybody is told up to `until`, but those who are held: they stay where they are."""
        marks = {member: self.mark(member) for member in held}
        marks |= {member: mark for member, mark in self.marks.items() if mark > until}
        self.told = max(self.told, until)
        self.marks = {member: mark for member, mark in marks.items() if mark != self.told}
        drop = bisect_right(self._numbers, min([self.told, *self.marks.values()]))
        del self._numbers[:drop], self._changes[:drop]


def merge(changes: Iterable[Change]) -> Diff:
    """What is left of a run of changes of one topic."""
    joins: dict[tuple[str, int], Entry] = {}
    leaves: dict[tuple[str, int], Entry] = {}
    merged: set[tuple[str, int, str]] = set()
    for change in changes:
        entry = change.entry
        joined = isinstance(change, Joined)
        undone = leaves if joined else joins
        if undone.pop(entry.dot, None) is None:
            (joins if joined else leaves)[entry.dot] = entry
        elif not joined:
            merged.add((*entry.place, entry.key))
    before = {(*entry.place, entry.key): entry for entry in leaves.values()}
    for dot, entry in joins.items() if merged or before else ():
        place = (*entry.place, entry.key)
        if place in before or place in merged:
            joins[dot] = follow(entry, before.get(place))
    return Diff(list(joins.values()), list(leaves.values()))
