"""What a process keeps of a trace: what matches, in order, each once for whoever reads, within its bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.trace import ASKER_LIMIT, MAX_LIMIT, FollowTrace, Happened, TraceFilter, TraceNotes
from roost.shared.trace_recorder import MAX_BEFORE_MATCH, MAX_ENDED, MAX_PAGE, MAX_WAITING, Recording, Recordings

PROCESS = "worker 1"
ANYTHING = TraceFilter()


def question(number: int = 1, limit: int = MAX_LIMIT, got: int = 0, wanted: TraceFilter = ANYTHING) -> FollowTrace:
    return FollowTrace(number, wanted, limit, {PROCESS: got} if got else {})


def note(at: int) -> Happened:
    return Happened("push", at, 1)


class TestWhatMatches:
    @pytest.mark.parametrize(
        ("wanted", "topic", "event", "matches"),
        [
            ({}, None, None, True),
            ({}, ["no", "text"], 7, True),
            ({"topic": "room:1"}, "room:1", "x", True),
            ({"topic": "room:1"}, "room:12", "x", False),
            ({"topic": "room:*"}, "room:12", None, True),
            ({"topic": "room:*"}, "room:", None, True),
            ({"topic": "room:*"}, "room", None, False),
            ({"topic": "*"}, "", None, True),
            ({"topic": "*"}, None, None, False),
            ({"topic": "room:*"}, ["room:1"], None, False),
            ({"event": "new_msg"}, "room:1", "new_msg", True),
            ({"event": "new_msg"}, "room:1", None, False),
            ({"topic": "room:*", "event": "new_msg"}, "hall:1", "new_msg", False),
        ],
    )
    def test_topics_and_events(self, wanted: dict[str, str], topic: object, event: object, matches: bool) -> None:
        recording = Recording(question(wanted=TraceFilter(**wanted)))
        assert recording.matches(topic, event) is matches
        if matches and isinstance(topic, str):
            assert topic.startswith(recording.beginning)

    @pytest.mark.parametrize("pattern", ["", "*:1", "room:*x", "**"])
    def test_what_is_no_pattern(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="a topic pattern is"):
            TraceFilter(topic=pattern)

    def test_nothing_any_more_when_enough_was_found(self) -> None:
        recording = Recording(question(limit=2))
        recording.match(note(1))
        assert recording.matches("a", "b")
        recording.match(note(2))
        assert not recording.matches("a", "b")
        assert recording.concerns("a")
        recording.part(note(3))
        assert [one.at for one in recording.read(PROCESS, 0).notes if isinstance(one, Happened)] == [1, 2, 3]


class TestReading:
    @given(st.lists(st.one_of(st.integers(1, 1200), st.sampled_from(["read", "lost answer"])), max_size=30))
    def test_each_note_is_read_once_and_in_order(self, steps: list[int | str]) -> None:
        """Whatever answers get lost on their way."""
        recordings, read, last, forgotten, noted, lost = Recordings(PROCESS), [], 0, 0, 0, 0
        recordings.follow(question(), 0.0)
        (recording,) = recordings.on
        answer: TraceNotes | None = None
        for step in (*steps, *["read"] * 12):
            if isinstance(step, int):
                for _ in range(step):
                    recording.part(note(noted))
                    if noted - forgotten < MAX_WAITING:
                        noted += 1
                    else:
                        lost += 1
                continue
            answer, forgotten = recordings.follow(question(got=last), 0.0), last
            assert len(answer.notes) <= MAX_PAGE
            assert answer.more is (noted - last > MAX_PAGE)
            assert answer.lost == lost
            if step == "read":
                read += [one.at for one in answer.notes if isinstance(one, Happened)]
                last = answer.last
        assert read == list(range(noted))

    def test_what_nobody_reads_is_bounded_and_counted(self) -> None:
        recording = Recording(question())
        for at in range(MAX_BEFORE_MATCH + 7):
            assert recording.has_room() is (at < MAX_BEFORE_MATCH)
            recording.match(note(at))
        assert (recording.lost, recording.left) == (7, MAX_LIMIT - MAX_BEFORE_MATCH)
        for at in range(MAX_WAITING - MAX_BEFORE_MATCH + 3):
            recording.part(note(at))
        assert recording.lost == 10
        recording.read(PROCESS, MAX_WAITING - MAX_BEFORE_MATCH + 1)
        assert recording.has_room()


class TestEnding:
    def test_a_trace_that_nobody_asks_for_ends(self) -> None:
        recordings = Recordings(PROCESS)
        recordings.follow(question(1), 10.0)
        recordings.follow(question(2), 10.0)
        recordings.follow(question(1), 14.0)
        left = []
        for now in (9.9, 10.0, 14.0):
            recordings.end_unasked(now + ASKER_LIMIT)
            left.append(len(recordings.on))
        assert left == [2, 1, 0]

    def test_one_that_has_ended_is_not_begun_again(self) -> None:
        recordings = Recordings(PROCESS)
        recordings.follow(question(1), 0.0)
        recordings.end(1)
        assert recordings.follow(question(1, got=5), 0.0) == TraceNotes(PROCESS, (), 5, 0)
        assert not recordings.on
        recordings.end(2)  # its end came first
        recordings.follow(question(2), 0.0)
        assert not recordings.on

    def test_of_so_many_it_is_remembered(self) -> None:
        recordings = Recordings(PROCESS)
        for number in range(MAX_ENDED + 1):
            recordings.end(number)
        recordings.follow(question(0), 0.0)
        assert len(recordings.on) == 1
