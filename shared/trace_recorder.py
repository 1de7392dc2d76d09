"""The traces that one process takes part in: what it noted of each, until that was read. Pure."""

from collections import deque
from typing import Any, Final

from roost.shared.trace import ASKER_LIMIT, FollowTrace, Note, TraceNotes

MAX_WAITING: Final = 4000
"""Notes of one trace that wait to be read; what comes beyond them is only counted."""
MAX_BEFORE_MATCH: Final = 500
"""While so many wait, matches are only counted: what is left is for the hops of broadcasts that were taken."""
MAX_PAGE: Final = 500
"""Notes of one answer."""
MAX_ENDED: Final = 64
"""Traces that are remembered to have ended, so that a question that comes late does not begin them again."""


class Recording:
    """One trace in one process."""

    def __init__(self, question: FollowTrace) -> None:
        topic = question.filter.topic
        self.socket = question.filter.socket
        self.left = question.limit
        """Matches that may still be noted."""
        self.lost = 0
        self.beginning = (topic or "").removesuffix("*")
        """How the topics begin that it looks for."""
        self._event = question.filter.event
        self._prefix = topic[:-1] if topic and topic[-1] == "*" else None
        self._topic = topic
        self._notes: deque[Note] = deque()
        self._last = 0
        """The number of the last note."""

    def matches(self, topic: Any, event: Any) -> bool:
        """Whether that is looked for, whatever socket it is of; never, when enough was found."""
        return self.concerns(topic) and (self._event is None or event == self._event) and self.left > 0

    def concerns(self, topic: Any) -> bool:
        """Whether the topic is one of those that are looked for."""
        if self._topic is None:
            return True
        if self._prefix is not None:
            return type(topic) is str and topic.startswith(self._prefix)
        return bool(topic == self._topic)

    def has_room(self) -> bool:
        """Whether a match would be kept."""
        return len(self._notes) < MAX_BEFORE_MATCH

    def match(self, note: Note) -> None:
        """Note something that counts, if there is room."""
        if self.has_room():
            self.left -= 1
            self._keep(note)
        else:
            self.lost += 1

    def part(self, note: Note) -> None:
        """Note a hop of a broadcast that counts elsewhere, if there is room."""
        if len(self._notes) < MAX_WAITING:
            self._keep(note)
        else:
            self.lost += 1

    def _keep(self, note: Note) -> None:
        self._last += 1
        self._notes.append(note)

    def read(self, process: str, got: int) -> TraceNotes:
        """What comes next after `got`, which is forgotten, and all before it."""
        notes = self._notes
        while notes and self._last - len(notes) < got:
            notes.popleft()
        first = self._last - len(notes)
        page = tuple(notes[at] for at in range(min(len(notes), MAX_PAGE)))
        return TraceNotes(process, page, first + len(page), self.lost, more=len(page) < len(notes))


class Recordings:
    """All traces that one process takes part in."""

    def __init__(self, process: str) -> None:
        self.on: tuple[Recording, ...] = ()
        self.beginnings: tuple[str, ...] = ()
        """How topics begin that any of them looks for: one look spares most others."""
        self._process = process
        self._by_number: dict[int, Recording] = {}
        self._asked: dict[int, float] = {}
        self._ended: deque[int] = deque(maxlen=MAX_ENDED)

    def follow(self, question: FollowTrace, now: float) -> TraceNotes:
        """What a trace has seen since; it begins with its first question."""
        number = question.number
        if number in self._ended:
            return TraceNotes(self._process, (), question.got.get(self._process, 0), 0)
        recording = self._by_number.get(number)
        if recording is None:
            recording = self._by_number[number] = Recording(question)
            self._changed()
        self._asked[number] = now
        return recording.read(self._process, question.got.get(self._process, 0))

    def end(self, number: int) -> None:
        """A trace is over."""
        self._ended.append(number)
        if self._by_number.pop(number, None) is not None:
            del self._asked[number]
            self._changed()

    def end_unasked(self, now: float) -> None:
        """Whoever asked is gone: end what nobody has asked for in the limit."""
        for number in [number for number, asked in self._asked.items() if now - asked >= ASKER_LIMIT]:
            self.end(number)

    def _changed(self) -> None:
        self.on = tuple(self._by_number.values())
        self.beginnings = tuple(recording.beginning for recording in self.on)
