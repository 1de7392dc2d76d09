"""Turns the publishes of one turn into what each worker is sent: encoded once a lane, not once a subscriber. Pure."""

from typing import Final

from roost.broker.hottest_topics import HottestTopics
from roost.broker.topic_table import Audience, Topic, TopicTable
from roost.shared.bus import PLAIN, Change, Disband, Entry, Form, Gather, Lane, Letter, Publish, Reach, encode_letter
from roost.shared.crossing import encode_crossing
from roost.shared.deflate import deflate_frame
from roost.shared.serializer import Fastlane
from roost.shared.topics import TAP

_LETTER, _NO_EVENT = Lane.LETTER, Form.PLAIN  # as globals: looking a member up in its Enum takes 0.15 us in Python 3.11
ENTRY_BYTES: Final = 16
"""What an entry takes on the bus beside its frames, about."""


class Due:
    """What one turn has for one worker."""

    __slots__ = ("audiences", "deliveries", "entries", "size")

    def __init__(self, disbanded: list[Disband]) -> None:
        self.audiences: list[Gather | Change | Disband] = [*disbanded]
        self.entries: list[Entry] = []
        self.size = 0
        self.deliveries = 0
        """What the entries mean, counted by subscriber."""


class Fanout:
    """Collects the entries of a turn by worker."""

    def __init__(self, table: TopicTable) -> None:
        self._table = table
        self._due: dict[int, Due] = {}
        self.published = 0
        """Publishes handled so far."""
        self.deliveries = 0
        """Deliveries that these meant, counted by subscriber."""
        self.unencodable = 0
        """Deliveries that could not be: what is binary has no form for subscribers who speak V1."""
        self.hottest = HottestTopics()

    def add(self, publisher: int, publish: Publish) -> None:
        """One publish: an entry for each worker that has subscribers of its topic."""
        self.published += 1
        if publish.reach == Reach.CLUSTER and (tap := self._table.topic(TAP)) is not None:
            self._tap(publisher, publish, tap)
        topic = self._table.topic(publish.topic)
        if topic is None:
            return
        encodings = _Encodings(topic.text, publish)
        before = self.deliveries
        for worker, audiences in topic.audiences.items():
            due = self.due(worker)
            frames = []
            letters = []
            sender = publish.sender if worker == publisher else 0
            deliveries = 0
            for audience in audiences.values():
                if news := audience.news():
                    due.audiences.append(news)
                    due.size += len(news.members) if isinstance(news, Gather) else len(news.joined) + len(news.left)
                members = len(audience.members) - (sender in audience.members)
                if encodings.wanted_as_letter(audience):
                    letters.append((audience.number, encodings.letter()))
                    due.size += len(encodings.letter())
                elif (frame := encodings.frame(audience.lane)) is not None:
                    frames.append((audience.number, frame))
                    due.size += len(frame)
                else:
                    self.unencodable += members
                    continue
                deliveries += members
            self.deliveries += deliveries
            due.deliveries += deliveries
            due.size += ENTRY_BYTES
            due.entries.append(Entry(publisher, publish.number, sender, tuple(frames), tuple(letters), publish.trace))
        if self.deliveries >= self.hottest.next and self.deliveries > before:
            self.hottest.look(publish.topic, self.deliveries - before, self.deliveries)

    def _tap(self, publisher: int, publish: Publish, tap: Topic) -> None:
        """Give it to who carries it to other nodes; what that one publishes itself came from there.

        A publish is one entry for each worker, so whoever taps subscribes to nothing that is published this far.
        """
        letter = encode_crossing(publish.topic, publish.form, publish.event, publish.payload)
        for worker, audiences in tap.audiences.items():
            if worker == publisher:
                continue
            due = self.due(worker)
            letters = []
            for audience in audiences.values():
                if news := audience.news():
                    due.audiences.append(news)
                letters.append((audience.number, letter))
                due.deliveries += len(audience.members)
                self.deliveries += len(audience.members)
                self.hottest.leave_out(len(audience.members))
            due.size += ENTRY_BYTES + len(letter)
            due.entries.append(Entry(publisher, publish.number, 0, (), tuple(letters), publish.trace))

    def due(self, worker: int) -> Due:
        """What is due to one worker so far; made, with what it must hear first, if there is nothing yet."""
        due = self._due.get(worker)
        if due is None:
            due = self._due[worker] = Due(self._table.disbanded(worker))
        return due

    def size(self, worker: int) -> int:
        """Bytes due to one worker so far."""
        due = self._due.get(worker)
        return due.size if due else 0

    def take(self) -> dict[int, Due]:
        """All that is due, by worker; the next turn begins with nothing."""
        due, self._due = self._due, {}
        return due


class _Encodings:
    """One publish in the forms that its subscribers want, each made when first wanted."""

    __slots__ = ("_fastlane", "_frames", "_letter", "_publish")

    def __init__(self, topic: bytes, publish: Publish) -> None:
        self._publish = publish
        self._fastlane = Fastlane(topic, publish.form, publish.event, publish.payload)
        self._frames: dict[Lane, bytes | None] = {}
        self._letter: bytes | None = None

    def wanted_as_letter(self, audience: Audience) -> bool:
        publish = self._publish
        return audience.lane == _LETTER or publish.form == _NO_EVENT or publish.event in audience.intercepts

    def frame(self, lane: Lane) -> bytes | None:
        """None if subscribers of that lane cannot be told: V1 has no binary messages."""
        frames = self._frames
        if lane not in frames:
            frames[lane] = self._fastlane.frame(lane) if lane not in PLAIN else self._compressed(lane)
        return frames[lane]

    def _compressed(self, lane: Lane) -> bytes | None:
        frame = self.frame(PLAIN[lane])
        return None if frame is None else deflate_frame(frame)

    def letter(self) -> bytes:
        if self._letter is None:
            publish = self._publish
            self._letter = encode_letter(Letter(publish.form, publish.event, publish.payload))
        return self._letter
