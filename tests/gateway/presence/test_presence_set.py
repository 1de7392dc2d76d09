"""The add-wins set: by property, and upstream's cases (ST-01 to ST-15, DG-01 to DG-07)."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.gateway.presence import presence_set
from roost.gateway.presence.entries import Entry, Joined, Left, Part
from roost.gateway.presence.presence_set import MAX_PART_ROWS, PresenceSet

NAMES = ("a", "b", "c")
ALL = frozenset(NAMES)
Seen = dict[str, dict[str, list[tuple[str, int, bytes]]]]


def shown(presences: PresenceSet, topics: Iterable[str] = ("t", "u")) -> Seen:
    return {
        topic: {
            key: [(entry.replica, entry.number, entry.meta) for entry in entries]
            for key, entries in presences.keys(topic).items()
        }
        for topic in topics
    }


def everything(presences: PresenceSet) -> list[Part]:
    """All that a set knows, for somebody who knows nothing."""
    return list(presences.extract({}, {}, "nobody"))


def merge_all(into: PresenceSet, parts: Iterable[Part]) -> list[Any]:
    return [change for part in parts for change in into.merge(part, ALL)]


def catch_up(into: PresenceSet, source: PresenceSet) -> list[Any]:
    """A state transfer."""
    parts = list(source.extract(dict(into.context.clock), dict(into.context.clouds), into.replica))
    return merge_all(into, parts)


class Group:
    """Three replicas that do what a list of numbers says, and all deltas that they ever told."""

    def __init__(self, script: list[tuple[int, int, int]]) -> None:
        self.sets = {name: PresenceSet(name) for name in NAMES}
        self.deltas: list[Part] = []
        own: dict[str, list[Entry]] = {name: [] for name in NAMES}
        for who, what, which in script:
            name = NAMES[who]
            presences, mine = self.sets[name], own[name]
            if what == 0 or not mine:
                mine.append(presences.add("tu"[which % 2], "xyz"[which % 3], which, b"%d" % which))
            elif what == 1:
                presences.remove(mine.pop(which % len(mine)))
            else:
                mine.append(presences.replace(mine.pop(which % len(mine)), b"-%d" % which))
            if what != 1 or which % 2:
                self.deltas.append(presences.take_delta())
        for presences in self.sets.values():
            self.deltas.append(presences.take_delta())

    def truth(self) -> Seen:
        """What a set shows that got everything from those who did it."""
        observer = PresenceSet("observer")
        for presences in self.sets.values():
            merge_all(observer, everything(presences))
        return shown(observer)


SCRIPTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 5)), max_size=25)


class TestProperties:
    @given(SCRIPTS, st.randoms(use_true_random=False))
    def test_deltas_in_any_order_and_repeated_are_the_same_as_full_merges(self, script: Any, random: Any) -> None:
        group = Group(script)
        deltas = group.deltas + random.sample(group.deltas, len(group.deltas) // 2)
        random.shuffle(deltas)
        observer = PresenceSet("observer")
        merge_all(observer, deltas)
        assert shown(observer) == group.truth()
        assert observer.context.clouds == {}

    @given(SCRIPTS, st.permutations(NAMES))
    def test_merges_commute(self, script: Any, order: list[str]) -> None:
        group = Group(script)
        observer = PresenceSet("observer")
        for name in order:
            merge_all(observer, everything(group.sets[name]))
        assert shown(observer) == group.truth()

    @given(SCRIPTS)
    def test_merges_are_associative(self, script: Any) -> None:
        group = Group(script)
        a, b, c = (group.sets[name] for name in NAMES)
        left, right, middle = PresenceSet("left"), PresenceSet("right"), PresenceSet("middle")
        merge_all(left, everything(a))
        merge_all(left, everything(b))
        merge_all(left, everything(c))
        merge_all(middle, everything(b))
        merge_all(middle, everything(c))
        merge_all(right, everything(a))
        catch_up(right, middle)
        assert shown(left) == shown(right) == group.truth()

    @given(SCRIPTS)
    def test_a_merge_again_changes_nothing(self, script: Any) -> None:
        group = Group(script)
        observer = PresenceSet("observer")
        parts = [part for presences in group.sets.values() for part in everything(presences)]
        merge_all(observer, parts)
        before = shown(observer)
        assert merge_all(observer, parts + group.deltas) == []
        assert shown(observer) == before

    @given(SCRIPTS, st.lists(st.booleans(), min_size=60, max_size=60))
    def test_what_deltas_were_lost_a_transfer_makes_good(self, script: Any, lost: list[bool]) -> None:
        group = Group(script)
        observer = PresenceSet("observer")
        merge_all(observer, [delta for delta, gone in zip(group.deltas, lost, strict=False) if not gone])
        for presences in group.sets.values():
            catch_up(observer, presences)
        assert shown(observer) == group.truth()
        assert observer.context.clouds == {}

    @given(SCRIPTS, st.lists(st.booleans(), min_size=60, max_size=60))
    def test_the_changes_told_are_those_shown(self, script: Any, lost: list[bool]) -> None:
        """Whoever applies all changes to nothing has what is shown."""
        group = Group(script)
        observer = PresenceSet("observer")
        changes = merge_all(observer, [delta for delta, gone in zip(group.deltas, lost, strict=False) if not gone])
        for presences in group.sets.values():
            changes += catch_up(observer, presences)
        picture: set[tuple[str, int]] = set()
        for change in changes:
            dot = change.entry.dot
            assert (dot in picture) == isinstance(change, Left), "joined twice, or left without having joined"
            picture ^= {dot}
        assert picture == {
            entry.dot for topic in "tu" for entries in observer.keys(topic).values() for entry in entries
        }

    @settings(max_examples=50)
    @given(SCRIPTS, st.integers(1, 4))
    def test_a_transfer_whose_parts_are_lost_hides_nothing_for_ever(self, script: Any, which: int) -> None:
        group = Group(script)
        observer = PresenceSet("observer")
        for presences in group.sets.values():
            parts = everything(presences)
            merge_all(observer, parts[which:])
        for presences in group.sets.values():
            catch_up(observer, presences)
        assert shown(observer) == group.truth()


@pytest.fixture
def pair() -> tuple[PresenceSet, PresenceSet]:
    return PresenceSet("a"), PresenceSet("b")


Pair = tuple[PresenceSet, PresenceSet]


class TestCases:
    """Upstream's, one by one."""

    def test_nothing_to_extract(self, pair: Pair) -> None:
        assert merge_all(pair[1], everything(pair[0])) == []

    def test_join_and_leave_here(self, pair: Pair) -> None:
        a, _ = pair
        entry = a.add("t", "x", 1, b"m")
        assert shown(a, "t") == {"t": {"x": [("a", 1, b"m")]}}
        a.remove(entry)
        assert shown(a, "t") == {"t": {}}
        assert a.size("t") == 0
        assert a.context.clock == {"a": 2}

    def test_an_update_is_a_leave_and_a_join_in_one_merge(self, pair: Pair) -> None:
        a, b = pair
        before = a.add("t", "x", 1, b"m1")
        b.merge(a.take_delta(), ALL)
        after = a.replace(before, b"m2")
        changes = b.merge(a.take_delta(), ALL)
        assert [(type(change), change.entry.meta) for change in changes] == [(Left, b"m1"), (Joined, b"m2")]
        assert shown(b, "t")["t"]["x"] == [("a", after.number, b"m2")]

    def test_an_update_keeps_its_place_among_the_metas_of_a_key(self, pair: Pair) -> None:
        a, _ = pair
        first = a.add("t", "x", 1, b"m1")
        a.add("t", "x", 2, b"m2")
        a.add("t", "x", 3, b"m3")
        a.replace(first, b"m4")
        assert [entry.meta for entry in a.keys("t")["x"]] == [b"m4", b"m2", b"m3"]

    def test_who_is_down_is_hidden_and_comes_back(self, pair: Pair) -> None:
        a, b = pair
        a.add("t", "x", 1, b"m1")
        b.merge(a.take_delta(), ALL)
        assert [type(change) for change in b.hide("a")] == [Left]
        assert b.hide("a") == []
        assert shown(b, "t") == {"t": {}}
        assert b.count() == 1
        assert "a" not in b.clock()
        a.add("t", "y", 1, b"m2")
        assert b.merge(a.take_delta(), ALL) == [], "nobody is told of one who is down"
        assert {change.entry.key for change in b.show("a")} == {"x", "y"}
        assert b.show("a") == []
        assert b.keys("t").keys() == {"x", "y"}

    def test_joins_and_removals_by_way_of_a_third(self, pair: Pair) -> None:
        a, b = pair
        c = PresenceSet("c")
        entry = a.add("t", "x", 1, b"m")
        merge_all(b, everything(a))
        assert [type(change) for change in catch_up(c, b)] == [Joined]
        a.remove(entry)
        merge_all(b, everything(a))
        assert [type(change) for change in catch_up(c, b)] == [Left]
        assert shown(c, "t") == {"t": {}}

    def test_who_is_down_is_not_passed_on(self, pair: Pair) -> None:
        a, b = pair
        a.add("t", "x", 1, b"m")
        b.merge(a.take_delta(), ALL)
        b.hide("a")
        c = PresenceSet("c")
        assert catch_up(c, b) == []
        assert not c.context.covers("a", 1)

    def test_nothing_is_kept_of_who_is_gone(self, pair: Pair) -> None:
        a, b = pair
        a.add("t", "x", 1, b"m")
        b.merge(a.take_delta(), ALL)
        assert [type(change) for change in b.forget("a")] == [Left]
        assert (b.count(), b.context.clock) == (0, {"b": 0})
        late = everything(a)
        assert [change for part in late for change in b.merge(part, {"c"})] == [], "late word of the dead"

    def test_one_that_was_down_leaves_without_a_second_word(self, pair: Pair) -> None:
        a, b = pair
        a.add("t", "x", 1, b"m")
        b.merge(a.take_delta(), ALL)
        b.hide("a")
        assert b.forget("a") == []
        assert b.count() == 0

    def test_own_entries_are_never_taken_away(self, pair: Pair) -> None:
        a, _ = pair
        a.add("t", "x", 1, b"m")
        assert a.merge(Part(clock={"a": 9}), ALL) == []
        assert a.keys("t").keys() == {"x"}

    def test_a_concurrent_addition_wins(self, pair: Pair) -> None:
        a, b = pair
        first = a.add("t", "x", 1, b"m1")
        b.merge(a.take_delta(), ALL)
        old = everything(b)
        a.remove(first)
        a.add("t", "x", 1, b"m2")
        b.merge(a.take_delta(), ALL)
        assert merge_all(b, old) == [], "what was removed does not come back by old knowledge"
        assert [entry.meta for entry in b.keys("t")["x"]] == [b"m2"]

    def test_a_delta_beyond_a_hole_waits_in_the_cloud(self, pair: Pair) -> None:
        a, b = pair
        a.add("t", "x", 1, b"m1")
        lost = a.take_delta()
        a.add("t", "y", 1, b"m2")
        b.merge(a.take_delta(), ALL)
        assert b.context.clock.get("a", 0) == 0
        assert b.context.clouds == {"a": {2}}
        b.merge(lost, ALL)
        assert (b.context.clock["a"], b.context.clouds) == (2, {})

    def test_only_what_is_lacking_is_carried(self, pair: Pair) -> None:
        a, b = pair
        for number in range(10):
            a.add("t", str(number), number, b"m")
        b.merge(a.take_delta(), ALL)
        a.add("t", "new", 11, b"m")
        parts = list(a.extract(b.clock(), {}, "b"))
        assert [row.key for part in parts for rows in part.rows.values() for row in rows] == ["new"]

    def test_nobody_is_told_of_his_own(self, pair: Pair) -> None:
        a, b = pair
        a.add("t", "x", 1, b"m")
        merge_all(b, everything(a))
        parts = list(b.extract({}, {}, "a"))
        assert not any("a" in part.rows or "a" in part.clock for part in parts)

    def test_much_travels_in_parts_that_can_be_merged_each(self, pair: Pair) -> None:
        a, b = pair
        for number in range(2 * MAX_PART_ROWS + 1):
            a.add("t", str(number), number, b"m")
        parts = everything(a)
        assert len(parts) == 4
        b.merge(parts[1], ALL)
        assert b.size("t") == MAX_PART_ROWS
        merge_all(b, parts)
        assert b.size("t") == 2 * MAX_PART_ROWS + 1
        assert b.context.clock["a"] == 2 * MAX_PART_ROWS + 1


def test_what_is_kept_of_many_replicas_comes_in_parts_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence_set, "MAX_PART_BYTES", 16)
    others = [PresenceSet(f"o{number}") for number in range(5)]
    known = {other.replica for other in others}
    mine, theirs = PresenceSet("m"), PresenceSet("t")
    for other in others:
        entries = [other.add("t", str(key), key, b"{}") for key in range(3)]
        while other.has_delta():
            part = other.take_delta()
            assert len(part.clouds[other.replica]) == 1
            mine.merge(part, known)
            theirs.merge(part, known)
        other.remove(entries[0])
        while other.has_delta():
            mine.merge(other.take_delta(), known)
    parts = list(mine.extract(theirs.context.clock, theirs.context.clouds, "t"))
    assert len([part for part in parts if part.kept]) == 5
    for part in reversed(parts):
        theirs.merge(part, known)
    assert theirs.size("t") == mine.size("t") == 10
    assert shown(theirs) == shown(mine)
