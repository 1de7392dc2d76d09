"""The window of diffs: what members are told adds up to what is, whatever was merged and whenever they came."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.presence import diff_window
from roost.gateway.presence.diff_window import Diff, DiffWindow, merge
from roost.gateway.presence.entries import Change, Entry, Joined, Left
from roost.gateway.presence.metas import encode_meta

Picture = dict[str, dict[str, bytes]]


def entry(number: int, key: str = "k", owner: int = 1, ref: str = "", prev: str | None = None) -> Entry:
    return Entry("a", number, "t", key, owner, encode_meta({}, ref or f"r{number}", prev))


def meta_of(one: Entry) -> Any:
    return msgspec.json.decode(one.meta)


def test_a_join_and_a_leave_of_one_reference_cancel_out() -> None:
    one = entry(1)
    assert merge([Joined(one), Left(one)]) == Diff([], [])
    assert merge([Left(one), Joined(one)]) == Diff([], [])
    assert merge([Joined(one), Left(one), Joined(one)]) == Diff([one], [])


def test_an_update_is_a_join_and_a_leave_with_the_previous_reference() -> None:
    before, after = entry(1), entry(2, prev="r1")
    assert merge([Left(before), Joined(after)]) == Diff([after], [before])


def test_updates_in_one_window_are_one_whose_previous_reference_is_the_one_that_leaves() -> None:
    first, second, third = entry(1), entry(2, prev="r1"), entry(3, prev="r2")
    diff = merge([Left(first), Joined(second), Left(second), Joined(third)])
    assert diff.leaves == [first]
    assert [meta_of(one) for one in diff.joins] == [{"phx_ref": "r3", "phx_ref_prev": "r1"}]


def test_a_join_that_is_updated_in_its_window_has_no_previous_reference() -> None:
    first, second = entry(1), entry(2, prev="r1")
    diff = merge([Joined(first), Left(first), Joined(second)])
    assert diff.leaves == []
    assert [meta_of(one) for one in diff.joins] == [{"phx_ref": "r2"}]


def test_an_update_whose_predecessor_was_never_heard_of_names_the_one_that_leaves() -> None:
    diff = merge([Left(entry(1)), Joined(entry(3, prev="r2"))])
    assert [meta_of(one) for one in diff.joins] == [{"phx_ref": "r3", "phx_ref_prev": "r1"}]


class Members:
    """What phoenix.js makes of states and diffs, with a complaint about whatever does not fit."""

    def __init__(self) -> None:
        self.pictures: dict[int, set[tuple[str, int]]] = {}

    def tell(self, member: int, diff: Diff) -> None:
        picture = self.pictures[member]
        for joined in diff.joins:
            assert joined.dot not in picture, "joined twice"
            picture.add(joined.dot)
        for left in diff.leaves:
            assert left.dot in picture, "left without having joined"
            picture.discard(left.dot)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["join", "leave", "update"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["come", "state", "go"]), st.integers(0, 3)),
        st.tuples(st.just("tell"), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_state_and_diffs_fit_whenever_a_member_comes(steps: list[tuple[str, int]]) -> None:
    """Members come, are held until their state was sent, and have then at each time the state plus its diffs."""
    number = 0
    present: dict[int, Entry] = {}
    window = DiffWindow(0)
    members, held = Members(), set[int]()

    def change(made: Change) -> None:
        nonlocal number
        number += 1
        window.add(number, made)

    for what, which in steps:
        match what:
            case "join" if which not in present:
                present[which] = entry(number + 1, owner=which)
                change(Joined(present[which]))
            case "leave" if which in present:
                change(Left(present.pop(which)))
            case "update" if which in present:
                change(Left(present[which]))
                present[which] = entry(number + 1, owner=which, prev="x")
                change(Joined(present[which]))
            case "come" if which not in members.pictures and which not in held:
                held.add(which)
            case "state" if which in held:
                members.pictures[which] = {one.dot for one in present.values()}
                window.showed(which, number, held=True)
                held.discard(which)
            case "go":
                members.pictures.pop(which, None)
                held.discard(which)
            case "tell":
                until = window.last
                for member in members.pictures:
                    members.tell(member, merge(window.between(window.mark(member), until)))
                window.tell(until, held)
                for picture in members.pictures.values():
                    assert picture == {one.dot for one in present.values()}
                assert held or not window.pending()


def test_one_that_is_held_is_told_all_when_it_is_let_go() -> None:
    window = DiffWindow(0)
    window.add(1, Joined(entry(1)))
    window.tell(1, [7])
    window.add(2, Joined(entry(2)))
    window.tell(2, [7])
    assert window.pending()
    assert len(merge(window.between(window.mark(7), 2)).joins) == 2
    assert window.between(window.mark(8), 2) == []
    window.tell(2, [])
    assert not window.pending()


def test_a_state_older_than_what_was_told_takes_nothing_back() -> None:
    window = DiffWindow(0)
    window.add(1, Joined(entry(1)))
    window.add(2, Joined(entry(2)))
    window.tell(2, [])
    window.showed(7, 1, held=False)
    assert window.mark(7) == 2


def test_not_more_is_kept_for_those_who_are_held_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff_window, "MAX_KEPT", 3)
    window = DiffWindow(0)
    for number in range(1, 4):
        window.add(number, Joined(entry(number)))
        assert not window.overflows()
    window.add(4, Joined(entry(4)))
    assert window.overflows()
