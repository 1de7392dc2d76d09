"""What was promised to each subscriber (P1 to P6 of the delivery protocol), judged whenever something arrives."""

from collections import defaultdict
from dataclasses import dataclass, field

from roost.shared.bus import Lane


class Broken(AssertionError):
    """A promise, a limit or a rule does not hold."""


@dataclass(eq=False)
class Publication:
    """One publish, from the moment in which it was asked."""

    serial: int
    publisher: int
    topic: str
    sender: int = 0
    """The subscriber of the publisher's worker that is left out."""
    plain: bool = False
    """A message between code, never a frame."""
    secret: bool = False
    """Its event is one that some channels intercept."""
    number: int = 0
    """0 until it is admitted."""
    place: int = 0
    """Its place among what this publisher issued on this topic."""


class Publisher:
    """What one worker has published."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self.asked: list[Publication] = []
        """In the order in which code asked; what was withdrawn is taken out."""
        self.issued = 0
        self.topics: defaultdict[str, list[Publication]] = defaultdict(list)
        self.through = 0
        """What it knows to be through."""
        self.finished = True
        """Whether all that it issued must arrive: it lives, or left with an empty log."""

    def admitted(self, publication: Publication, number: int) -> None:
        """It has a number now. Numbers follow the order in which code asked (W5)."""
        if publication is not self.asked[self.issued] or number != self.issued + 1:
            raise Broken(f"W5: worker {self.worker} numbers publish {publication.serial} {number}, out of turn")
        self.issued = number
        publication.number = number
        publication.place = len(self.topics[publication.topic])
        self.topics[publication.topic].append(publication)


@dataclass(eq=False)
class Listener:
    """One subscription with what it is owed and what it got."""

    worker: int
    topic: str
    lane: Lane
    intercepts: bool
    known_through: dict[int, int]
    """For each publisher what it knew to be through when the join was asked."""
    number: int = 0
    joined: bool = False
    left: bool = False
    owed: dict[int, int] = field(default_factory=dict)
    """For each publisher the place of the first one that was issued after the ok."""
    last: dict[int, int] = field(default_factory=dict)
    """For each publisher the place of the last one that it got."""

    def __str__(self) -> str:
        return f"subscriber {self.number} of worker {self.worker} on {self.topic}"

    def confirm(self, publishers: dict[int, Publisher]) -> None:
        if self.left or self.joined:
            raise Broken(f"{self} is confirmed although it {'left' if self.left else 'stands already'}")
        self.joined = True
        self.owed = {worker: len(one.topics[self.topic]) for worker, one in publishers.items()}

    def hear(self, publication: Publication, publisher: Publisher) -> None:
        """Judge one delivery."""
        what = f"{publication.number} of worker {publication.publisher}"
        if not self.joined or self.left:
            raise Broken(f"P4: {self} gets {what} {'after its leave' if self.left else 'before its ok'}")
        if publication.topic != self.topic or self._is_sender(publication):
            raise Broken(f"{self} gets {what}, which is not for it")
        worker = publication.publisher
        if publication.number <= self.known_through.get(worker, 0):
            raise Broken(f"P5: {self} gets {what}, which was through when it asked to join")
        last = self.last.get(worker)
        if last is not None and publication.place <= last:
            raise Broken(f"{'P2' if publication.place == last else 'P3'}: {self} gets {what} after {last}")
        first = self.owed.get(worker, 0) if last is None else last + 1
        self._require_none_missing(publisher, first, publication.place, f"before {what}")
        self.last[worker] = publication.place

    def close_account(self, publisher: Publisher) -> None:
        """At rest: it must have got all that it is owed (P1)."""
        if not self.joined or self.left or not publisher.finished:
            return
        last = self.last.get(publisher.worker)
        first = self.owed.get(publisher.worker, 0) if last is None else last + 1
        self._require_none_missing(publisher, first, len(publisher.topics[self.topic]), "at rest")

    def got(self, publication: Publication) -> bool:
        return self.last.get(publication.publisher, -1) >= publication.place

    def _is_sender(self, publication: Publication) -> bool:
        return bool(publication.sender) and (publication.publisher, publication.sender) == (self.worker, self.number)

    def _require_none_missing(self, publisher: Publisher, first: int, end: int, when: str) -> None:
        for missing in publisher.topics[self.topic][first:end]:
            if not self._is_sender(missing):
                raise Broken(f"P1: {self} lacks {missing.number} of worker {publisher.worker} {when}")
