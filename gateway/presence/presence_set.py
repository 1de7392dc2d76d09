"""The presences that one replica knows: an add-wins observed-remove set with deltas. Pure.

Each replica adds and removes its own entries alone; every addition and every removal is a new dot. Merging what
another replica knows brings the entries whose dots were not known here, and takes away those that the other one knows
and has no more. So merges may come late, twice and in any order, and an addition beats a removal that did not see it.
(Almeida, Shoker, Baquero, "Delta state replicated data types"; `Phoenix.Tracker.State` does the same.)
"""

from array import array
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import Final

from roost.gateway.presence.causal_context import CausalContext
from roost.gateway.presence.clock import only
from roost.gateway.presence.entries import Change, Entry, Joined, Left, Part, Row, in_order
from roost.gateway.presence.metas import encode_presence

MAX_PART_ROWS: Final = 1000
MAX_PART_BYTES: Final = 256 * 1024
"""Entries in one part, and about how many bytes; more travel in several, each of which can be merged for itself. The
engine between nodes takes no message of any size."""

NOBODY: Final[Mapping[str, list[Entry]]] = {}


class PresenceSet:
    """All that a replica knows."""

    def __init__(self, replica: str) -> None:
        self.replica = replica
        self.context = CausalContext({replica: 0})
        self.hidden: set[str] = set()
        """Replicas that are down: what they had is kept and not shown."""
        self._entries: dict[str, dict[int, Entry]] = {replica: {}}
        self._topics: dict[str, dict[str, list[Entry]]] = {}
        """What is shown: by topic, then by key."""
        self._sizes: dict[str, int] = {}
        self._texts: dict[str, dict[str, bytes]] = {}
        """The JSON of each key, of topics that somebody has asked for."""
        self._delta: dict[int, Entry | None] = {}
        """Own dots that the others have not been told; None for those without an entry."""

    # Reading

    def keys(self, topic: str) -> Mapping[str, list[Entry]]:
        """Who is in a topic: entries by key, those of one key in order. Not to be changed."""
        return self._topics.get(topic, NOBODY)

    def text(self, topic: str) -> bytes:
        """Who is in a topic, as JSON text: what `presence_state` carries. Kept key by key from the first time on."""
        texts = self._texts.get(topic)
        if texts is None:
            texts = {key: encode_presence(key, entries) for key, entries in self.keys(topic).items()}
            if texts:
                self._texts[topic] = texts
        return b"{%b}" % b",".join(texts.values())

    def size(self, topic: str) -> int:
        """How many entries a topic has."""
        return self._sizes.get(topic, 0)

    def count(self) -> int:
        """How many entries are known, hidden ones included."""
        return sum(map(len, self._entries.values()))

    def clock(self) -> dict[str, int]:
        """What is known, without replicas that are down: for others to compare with theirs."""
        return {name: number for name, number in self.context.clock.items() if name not in self.hidden}

    # The replica's own entries

    def add(self, topic: str, key: str, owner: int, meta: bytes) -> Entry:
        """A new entry."""
        entry = Entry(self.replica, self._next(), topic, key, owner, meta)
        self._delta[entry.number] = entry
        self._insert(entry)
        return entry

    def remove(self, entry: Entry) -> None:
        """An own entry is no more; the removal is an event as well, so that clocks tell of it."""
        self._delete(entry)
        self._delta[entry.number] = None
        self._delta[self._next()] = None

    def replace(self, entry: Entry, meta: bytes) -> Entry:
        """An own entry with another meta."""
        self.remove(entry)
        return self.add(entry.topic, entry.key, entry.owner, meta)

    def has_delta(self) -> bool:
        """Whether there is anything that the others have not been told."""
        return bool(self._delta)

    def take_delta(self) -> Part:
        """A part of what the others have not been told, once: all of it, if that is not too much for one."""
        rows: list[Row] = []
        numbers = []
        size = 0
        for number, entry in self._delta.items():
            if size >= MAX_PART_BYTES:
                break
            numbers.append(number)
            if entry is not None:
                rows.append(_row(entry))
            size += _size(entry)
        for number in numbers:
            del self._delta[number]
        return Part(clouds={self.replica: numbers}, rows={self.replica: rows} if rows else {})

    # Other replicas

    def merge(self, part: Part, known: Container[str]) -> list[Change]:
        """Take in what another replica knows of the `known` ones; of others nothing, for they may be long dead."""
        changes: list[Change] = []
        for name in part.clock.keys() | part.clouds.keys():
            if name == self.replica or name not in known:
                continue
            rows = part.rows.get(name, ())
            changes += self._take_away(name, part, rows)
            changes += self._bring(name, rows)
            self._cover(name, part)
        return changes

    def extract(self, clock: Mapping[str, int], clouds: Mapping[str, Collection[int]], asker: str) -> Iterator[Part]:
        """All that a replica lacks which knows so much; the last parts say what is gone."""
        theirs = CausalContext(clock)
        for name, cloud in clouds.items():
            theirs.add(name, cloud)
        told = self.clock().keys() - {asker}
        for name in sorted(told):
            entries = self._entries.get(name, {})
            for rows in _in_parts(entry for entry in entries.values() if not theirs.covers(*entry.dot)):
                yield Part(clouds={name: [row.number for row in rows]}, rows={name: rows})
        yield from self._what_is_kept(sorted(told))

    def _what_is_kept(self, replicas: list[str]) -> Iterator[Part]:
        """All that is known of these replicas, but for the entries themselves."""
        kept: dict[str, bytes] = {}
        for name in replicas:
            if sum(map(len, kept.values())) >= MAX_PART_BYTES:
                yield self._covering(kept)
                kept = {}
            kept[name] = array("Q", self._entries.get(name, {})).tobytes()
        yield self._covering(kept)

    def _covering(self, kept: dict[str, bytes]) -> Part:
        ours = self.context
        return Part(only(ours.clock, kept), {name: sorted(ours.clouds.get(name, ())) for name in kept}, {}, kept)

    def hide(self, replica: str) -> list[Change]:
        """A replica is down: its entries are not shown until `show`."""
        if replica in self.hidden:
            return []
        entries = self._entries.get(replica, {}).values()
        for entry in entries:
            self._withdraw(entry)
        self.hidden.add(replica)
        return [Left(entry) for entry in entries]

    def show(self, replica: str) -> list[Change]:
        """A replica is up again."""
        if replica not in self.hidden:
            return []
        self.hidden.discard(replica)
        entries = self._entries.get(replica, {}).values()
        for entry in entries:
            self._show(entry)
        return [Joined(entry) for entry in entries]

    def forget(self, replica: str) -> list[Change]:
        """A replica will never come back: nothing is kept of it."""
        changes = self.hide(replica)
        self.hidden.discard(replica)
        self._entries.pop(replica, None)
        self.context.forget(replica)
        return changes

    # Inside

    def _next(self) -> int:
        number = self.context.clock[self.replica] + 1
        self.context.clock[self.replica] = number
        return number

    def _cover(self, name: str, part: Part) -> None:
        """Know what the part covers; but not what it takes for granted here and what never came, or is forgotten."""
        entries = self._entries.get(name, {})
        kept = array("Q", part.kept.get(name, b""))
        missing = {number for number in kept if number not in entries and not self.context.covers(name, number)}
        self.context.add(name, (number for number in part.clouds.get(name, ()) if number not in missing))
        self.context.raise_to(name, min([part.clock.get(name, 0), *(number - 1 for number in missing)]))

    def _take_away(self, name: str, part: Part, rows: Iterable[Row]) -> list[Change]:
        entries = self._entries.get(name)
        if not entries:
            return []
        there = {row.number for row in rows}
        gone = [number for number in part.clouds.get(name, ()) if number in entries and number not in there]
        if limit := part.clock.get(name, 0):
            there.update(array("Q", part.kept.get(name, b"")))
            gone = [number for number in gone if number not in there]
            gone += [number for number in entries if number <= limit and number not in there]
        changes: list[Change] = []
        for number in dict.fromkeys(gone):
            entry = entries[number]
            self._delete(entry)
            if name not in self.hidden:
                changes.append(Left(entry))
        return changes

    def _bring(self, name: str, rows: Iterable[Row]) -> list[Change]:
        changes: list[Change] = []
        for row in rows:
            if not self.context.covers(name, row.number):
                entry = Entry(name, row.number, self._shared(row.topic), row.key, row.owner, row.meta)
                self._insert(entry)
                if name not in self.hidden:
                    changes.append(Joined(entry))
        return changes

    def _shared(self, topic: str) -> str:
        """The text of a topic that its entries share."""
        keys = self._topics.get(topic)
        return next(iter(keys.values()))[0].topic if keys else topic

    def _insert(self, entry: Entry) -> None:
        self._entries.setdefault(entry.replica, {})[entry.number] = entry
        if entry.replica not in self.hidden:
            self._show(entry)

    def _delete(self, entry: Entry) -> None:
        del self._entries[entry.replica][entry.number]
        if entry.replica not in self.hidden:
            self._withdraw(entry)

    def _show(self, entry: Entry) -> None:
        metas = self._topics.setdefault(entry.topic, {}).setdefault(entry.key, [])
        metas.append(entry)
        if len(metas) > 1:
            metas.sort(key=in_order)
        if entry.topic in self._texts:
            self._texts[entry.topic][entry.key] = encode_presence(entry.key, metas)
        self._sizes[entry.topic] = self._sizes.get(entry.topic, 0) + 1

    def _withdraw(self, entry: Entry) -> None:
        keys = self._topics[entry.topic]
        metas = keys[entry.key]
        metas.remove(entry)
        texts = self._texts.get(entry.topic, {})
        if not metas:
            del keys[entry.key]
            texts.pop(entry.key, None)
        elif texts:
            texts[entry.key] = encode_presence(entry.key, metas)
        self._sizes[entry.topic] -= 1
        if not keys:
            del self._topics[entry.topic], self._sizes[entry.topic]
            self._texts.pop(entry.topic, None)


def _in_parts(entries: Iterable[Entry]) -> Iterator[list[Row]]:
    rows: list[Row] = []
    size = 0
    for entry in entries:
        if len(rows) == MAX_PART_ROWS or size >= MAX_PART_BYTES:
            yield rows
            rows, size = [], 0
        rows.append(_row(entry))
        size += _size(entry)
    if rows:
        yield rows


def _size(entry: Entry | None) -> int:
    """Bytes in a part, about."""
    return 32 + (len(entry.topic) + len(entry.key) + len(entry.meta) if entry is not None else 0)


def _row(entry: Entry) -> Row:
    return Row(entry.number, entry.topic, entry.key, entry.owner, entry.meta)
