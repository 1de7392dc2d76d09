"""What a replica does (upstream's cases SR-01 to SR-16, PO-01 to PO-07, PR-09 to PR-13)."""

from typing import Any

import msgspec
import pytest

from roost.gateway.presence.entries import Entry, Joined, Left
from roost.gateway.presence.gossip import Heartbeat, Outgoing, Transfer, TransferRequest, encode_gossip
from roost.gateway.presence.limits import MAX_KEY_BYTES, PresenceLimits
from roost.gateway.presence.replicas import DOWN_BEATS
from roost.gateway.presence.tracker import SAMPLE_BEATS, SILENT_BEATS, Tracker
from roost.gateway.replies import Error, Ok


class Mesh:
    """Trackers whose messages are carried when a test says so."""

    def __init__(self, *names: str, watched: bool = True) -> None:
        self.trackers: dict[str, Tracker] = {}
        self.watched = watched
        self.carried: list[tuple[str, Outgoing]] = []
        for name in names:
            self.start(name)

    def start(self, name: str) -> Tracker:
        tracker = self.trackers[name] = Tracker(name)
        tracker.greet()
        self.settle()
        return tracker

    def settle(self) -> None:
        """Carry all messages until nobody has any."""
        busy = True
        while busy:
            busy = False
            for sender in list(self.trackers.values()):
                for outgoing in sender.take_outgoing():
                    busy = True
                    self.carried.append((sender.replica, outgoing))
                    for name, other in self.trackers.items():
                        if name != sender.replica and outgoing.to in (None, name):
                            other.received(outgoing.message, watched=self.watched)
            if not busy:
                asking = [tracker for tracker in self.trackers.values() if tracker.has_news]
                busy = bool(asking)
                for tracker in asking:
                    tracker.ask()

    def tell(self) -> None:
        for tracker in self.trackers.values():
            tracker.tell()
        self.settle()

    def kinds(self, kind: type) -> list[tuple[str, str | None]]:
        return [(sender, outgoing.to) for sender, outgoing in self.carried if type(outgoing.message) is kind]


def metas(tracker: Tracker, topic: str = "t") -> dict[str, list[Any]]:
    return {
        key: [msgspec.json.decode(entry.meta) for entry in entries]
        for key, entries in tracker.presences.keys(topic).items()
    }


def told(tracker: Tracker) -> list[tuple[type, str]]:
    return [(type(change), change.entry.key) for change in tracker.take_changes()]


def reference(answer: Ok | Error) -> str:
    assert isinstance(answer, Ok), answer
    return str(answer.payload)


class TestOwners:
    def test_track_answers_a_reference_that_the_meta_carries(self) -> None:
        tracker = Tracker("n:1")
        answer = tracker.track(1, "t", "x", {"a": 1})
        assert metas(tracker) == {"x": [{"a": 1, "phx_ref": reference(answer)}]}
        assert told(tracker) == [(Joined, "x")]

    def test_an_owner_is_in_a_place_once_and_in_many_places(self) -> None:
        tracker = Tracker("n:1")
        assert reference(tracker.track(1, "t", "x", {}))
        assert tracker.track(1, "t", "x", {}) == Error("already_tracked")
        for owner, topic, key in [(1, "t", "y"), (1, "u", "x"), (2, "t", "x")]:
            assert reference(tracker.track(owner, topic, key, {}))
        assert {key: len(found) for key, found in metas(tracker).items()} == {"x": 2, "y": 1}

    def test_untrack_one_and_all_and_what_was_never_tracked(self) -> None:
        tracker = Tracker("n:1")
        for key in "xyz":
            tracker.track(1, "t", key, {})
        tracker.track(2, "t", "x", {})
        tracker.untrack(1, "t", "x")
        tracker.untrack(1, "t", "x")
        tracker.untrack(9, "t", "x")
        assert metas(tracker).keys() == {"x", "y", "z"}
        tracker.owner_ended(1)
        tracker.owner_ended(1)
        assert metas(tracker).keys() == {"x"}
        assert tracker._owned.keys() == {2}

    def test_update_replaces_the_meta_and_names_the_previous_reference(self) -> None:
        tracker = Tracker("n:1")
        first = reference(tracker.track(1, "t", "x", {"a": 1}))
        tracker.take_changes()
        second = reference(tracker.update(1, "t", "x", {"b": 2}, 0.0))
        assert metas(tracker) == {"x": [{"b": 2, "phx_ref": second, "phx_ref_prev": first}]}
        assert told(tracker) == [(Left, "x"), (Joined, "x")]

    def test_update_by_a_function_sees_the_meta_with_its_reference(self) -> None:
        tracker = Tracker("n:1")
        first = reference(tracker.track(1, "t", "x", {"a": 1}))
        seen: list[Any] = []

        def change(meta: dict[str, Any]) -> dict[str, Any]:
            seen.append(meta)
            return {**meta, "b": 2}

        second = reference(tracker.update(1, "t", "x", change, 0.0))
        assert seen == [{"a": 1, "phx_ref": first}]
        assert metas(tracker) == {"x": [{"a": 1, "b": 2, "phx_ref": second, "phx_ref_prev": first}]}

    def test_update_of_what_is_not_tracked(self) -> None:
        assert Tracker("n:1").update(1, "t", "x", {}, 0.0) == Error("nopresence")

    def test_updates_that_come_too_fast_are_merged_and_the_last_counts(self) -> None:
        tracker = Tracker("n:1", PresenceLimits(update_period=1.0))
        tracker.track(1, "t", "x", {})
        first = reference(tracker.update(1, "t", "x", {"n": 0}, 10.0))
        tracker.take_changes()
        answers = [
            tracker.update(1, "t", "x", lambda meta: {"n": meta["n"] + 1}, 10.0 + step / 10) for step in range(9)
        ]
        assert told(tracker) == []
        assert tracker.due() == 11.0
        tracker.apply_updates(11.0)
        assert metas(tracker) == {"x": [{"n": 9, "phx_ref": reference(answers[-1]), "phx_ref_prev": first}]}
        assert told(tracker) == [(Left, "x"), (Joined, "x")]

    def test_an_update_that_waits_ends_with_its_presence(self) -> None:
        tracker = Tracker("n:1", PresenceLimits(update_period=1.0))
        tracker.track(1, "t", "x", {})
        tracker.update(1, "t", "x", {"n": 0}, 0.0)
        tracker.update(1, "t", "x", {"n": 1}, 0.1)
        tracker.owner_ended(1)
        tracker.apply_updates(5.0)
        assert metas(tracker) == {}

    def test_limits_are_answered(self) -> None:
        tracker = Tracker("n:1", PresenceLimits(max_meta_bytes=100, max_topic_presences=3, max_channel_presences=2))
        assert tracker.track(1, "t", "x", {"long": "x" * 100}) == Error("meta_too_large")
        assert tracker.track(1, "t", "k" * (MAX_KEY_BYTES + 1), {}) == Error("key_too_long")
        assert reference(tracker.track(1, "t", "x", {}))
        assert tracker.update(1, "t", "x", {"long": "x" * 100}, 0.0) == Error("meta_too_large")
        assert reference(tracker.track(1, "t", "y", {}))
        assert tracker.track(1, "t", "z", {}) == Error("too_many_presences")
        assert reference(tracker.track(2, "t", "x", {}))
        assert tracker.track(3, "t", "x", {}) == Error("topic_full")
        assert reference(tracker.track(3, "u", "x", {}))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("max_meta_bytes", 0),
            ("window", -1),
            ("update_period", 61),
            ("callback_limit", 0),
            ("max_topic_presences", 0),
        ],
    )
    def test_limits_that_make_no_sense_are_refused(self, name: str, value: float) -> None:
        with pytest.raises(ValueError, match=name):
            PresenceLimits(**{name: value})  # type: ignore[arg-type]


class TestReplication:
    def test_a_greeting_is_answered_and_one_transfer_brings_all(self) -> None:
        mesh = Mesh("n:1", "n:2", "n:3")
        for number, name in enumerate(("n:1", "n:2", "n:3")):
            mesh.trackers[name].track(number, "t", name, {})
        mesh.tell()
        mesh.carried.clear()
        late = mesh.start("n:4")
        assert metas(late) == metas(mesh.trackers["n:1"])
        assert len(metas(late)) == 3
        assert len(mesh.kinds(TransferRequest)) == 1, "of those who know the same, one is asked"
        assert not late.lacks()

    def test_who_lacks_something_knows_it(self) -> None:
        mesh = Mesh("n:1")
        mesh.trackers["n:1"].track(1, "t", "x", {})
        late = Tracker("n:2")
        late.received(Heartbeat("n:1", {"n:1": 1}), watched=True)
        assert late.lacks()

    def test_joins_updates_and_leaves_reach_the_others_as_deltas(self) -> None:
        mesh = Mesh("n:1", "n:2")
        here, there = mesh.trackers.values()
        here.track(1, "t", "x", {"a": 1})
        mesh.tell()
        assert told(there) == [(Joined, "x")]
        here.update(1, "t", "x", {"a": 2}, 0.0)
        mesh.tell()
        assert told(there) == [(Left, "x"), (Joined, "x")]
        here.owner_ended(1)
        mesh.tell()
        assert told(there) == [(Left, "x")]
        assert metas(there) == {}
        assert not mesh.kinds(Transfer)

    def test_a_join_and_leave_before_anybody_was_told_tells_nobody(self) -> None:
        mesh = Mesh("n:1", "n:2")
        here, there = mesh.trackers.values()
        here.track(1, "t", "x", {})
        here.owner_ended(1)
        mesh.tell()
        assert told(there) == []

    def test_what_a_lost_word_had_said_is_asked_for(self) -> None:
        mesh = Mesh("n:1", "n:2")
        here, there = mesh.trackers.values()
        here.track(1, "t", "x", {})
        here.tell()
        here.take_outgoing()
        here.track(1, "t", "y", {})
        mesh.tell()
        assert metas(there).keys() == {"y"}
        for _ in range(2 * SAMPLE_BEATS):
            for tracker in mesh.trackers.values():
                tracker.beat()
            mesh.settle()
        assert metas(there).keys() == {"x", "y"}
        assert len(mesh.kinds(TransferRequest)) == 1

    def test_what_is_only_under_way_is_not_asked_for(self) -> None:
        mesh = Mesh("n:1", "n:2", "n:3")
        one, two, three = mesh.trackers.values()
        one.track(1, "t", "x", {})
        one.tell()
        (word,) = one.take_outgoing()
        two.received(word.message, watched=True)
        three.received(Heartbeat("n:2", two.presences.clock()), watched=True)
        for _ in range(SAMPLE_BEATS):
            three.beat()
        three.received(word.message, watched=True)
        for _ in range(4 * SAMPLE_BEATS):
            three.beat()
        assert not any(isinstance(outgoing.message, TransferRequest) for outgoing in three.take_outgoing())

    def test_heartbeats_keep_coming_when_there_is_nothing_to_tell(self) -> None:
        tracker = Tracker("n:1")
        beats = 5 * (SILENT_BEATS + 1)
        for _ in range(beats):
            tracker.beat()
        heartbeats = [outgoing for outgoing in tracker.take_outgoing() if isinstance(outgoing.message, Heartbeat)]
        assert len(heartbeats) == 5
        assert SILENT_BEATS + 1 < DOWN_BEATS, "one may get lost"

    def test_a_silent_one_of_another_node_leaves_and_comes_back(self) -> None:
        mesh = Mesh("m:1", "n:2", watched=False)
        here, there = mesh.trackers.values()
        here.track(1, "t", "x", {})
        mesh.tell()
        told(there)
        for _ in range(DOWN_BEATS):
            there.beat()
        there.take_outgoing()
        assert told(there) == [(Left, "x")]
        assert metas(there) == {}
        here.beat()
        here._silent = SILENT_BEATS
        here.beat()
        mesh.settle()
        assert told(there) == [(Joined, "x")]

    def test_a_silent_one_of_the_same_node_causes_nothing(self) -> None:
        mesh = Mesh("n:1", "n:2")
        here, there = mesh.trackers.values()
        here.track(1, "t", "x", {})
        mesh.tell()
        told(there)
        for _ in range(10 * DOWN_BEATS):
            there.beat()
        assert told(there) == []

    def test_of_a_dead_one_everything_leaves_at_once_and_is_forgotten(self) -> None:
        mesh = Mesh("n:1", "n:2")
        here, there = mesh.trackers.values()
        for key in "xyz":
            here.track(1, "t", key, {})
        mesh.tell()
        told(there)
        there.died("n:1")
        assert sorted(told(there), key=str) == [(Left, "x"), (Left, "y"), (Left, "z")]
        there.died("n:1")
        assert told(there) == []
        assert there.presences.count() == 0

    def test_a_farewell_is_a_death(self) -> None:
        mesh = Mesh("n:1", "n:2")
        here, there = mesh.trackers.values()
        here.track(1, "t", "x", {})
        mesh.tell()
        told(there)
        here.leave()
        mesh.settle()
        assert told(there) == [(Left, "x")]
        assert "n:1" not in there.replicas

    def test_entries_of_all_are_shown_in_one_order(self) -> None:
        mesh = Mesh("n:1", "n:2")
        here, there = mesh.trackers.values()
        there.track(1, "t", "x", {"n": 3})
        here.track(1, "t", "x", {"n": 1})
        here.track(2, "t", "x", {"n": 2})
        mesh.tell()

        def order(tracker: Tracker) -> list[Entry]:
            return [entry.dot for entry in tracker.presences.keys("t")["x"]]  # type: ignore[misc]

        assert order(here) == order(there)
        assert [meta["n"] for meta in metas(here)["x"]] == [1, 2, 3]


class TestNodes:
    """Replicas of a node that goes out of sight, and comes back."""

    def test_what_is_out_of_sight_is_not_shown_until_it_is_heard(self) -> None:
        mesh = Mesh("a:1", "b:1", watched=False)
        here, there = mesh.trackers.values()
        there.track(1, "t", "x", {})
        mesh.tell()
        here.take_changes()
        here.lost("b:1")
        here.lost("b:1")
        assert [type(change) for change in here.take_changes()] == [Left]
        assert metas(here) == {}
        here.look_for("b:1")
        mesh.settle()
        assert [type(change) for change in here.take_changes()] == [Joined]
        assert metas(here) == metas(there)

    def test_what_was_missed_meanwhile_is_asked_for_at_once(self) -> None:
        mesh = Mesh("a:1", "b:1", watched=False)
        here, there = mesh.trackers.values()
        here.lost("b:1")
        there.track(1, "t", "x", {})
        there.tell()
        there.take_outgoing()  # lost on its way
        here.look_for("b:1")
        mesh.settle()
        assert metas(here) == metas(there) != {}

    def test_only_those_that_are_down_are_looked_for(self) -> None:
        mesh = Mesh("a:1", "b:1", watched=False)
        here = mesh.trackers["a:1"]
        here.look_for("b:1")
        here.look_for("nobody:1")
        assert here.take_outgoing() == []

    def test_a_death_is_reported_to_those_who_cannot_see_it(self) -> None:
        mesh = Mesh("a:1", "a:2", "b:1", watched=False)
        here, dead, there = mesh.trackers.values()
        dead.track(1, "t", "x", {})
        mesh.tell()
        del mesh.trackers["a:2"]
        here.died("a:2")
        here.report_death("a:2")
        mesh.settle()
        assert metas(there) == {}
        assert "a:2" not in there.replicas


def size_of(outgoing: tuple[str, Outgoing]) -> int:
    return len(encode_gossip(outgoing[1].message))


def test_much_is_told_in_parts_that_an_engine_takes() -> None:
    mesh = Mesh("a:1", watched=False)
    tracker = mesh.trackers["a:1"]
    for owner in range(400):
        assert tracker.track(owner, "t", str(owner), {"text": "x" * 4000}).status == "ok"
    other = mesh.start("b:1")  # is told what there is, as far as it was told before
    mesh.tell()
    late = mesh.start("b:2")
    for name in ("b:1", "b:2"):
        assert metas(mesh.trackers[name]) == metas(tracker)
    assert len(metas(other)) == len(metas(late)) == 400
    assert max(map(size_of, mesh.carried)) < 300 * 1024
    assert len(mesh.kinds(Transfer)) > 6
