"""Puts together what processes noted of a trace: one row a match, a broadcast with the hops of all its way. Pure."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

import msgspec

from roost.shared.shard_map import Slot
from roost.shared.trace import FannedOut, Happened, Note, Published, Written

HOLD: Final = 1_500_000_000
"""Nanoseconds that a broadcast may wait for its last hop; then it is shown with those that are known."""
MAX_ORPHANS: Final = 20_000
"""Hops of broadcasts that are not known (yet); the oldest are forgotten."""

Key = tuple[int, int]
"""Of a broadcast: publisher and number."""


class Hop(msgspec.Struct, frozen=True, omit_defaults=True):
    """One station of a broadcast."""

    hop: str
    """`received`, `decoded`, `published`, `shard in`, `encoded`, `worker in`, `first write` or `last write`; what came
    from another node begins with `bridge in`."""
    at: int
    """Nanoseconds of the machine's monotonic clock."""
    worker: int | None = None
    slot: Slot | None = None
    """The shard; of a worker's hop the one that it came from. A hop with neither is the bridge's."""
    members: dict[int, int] | None = None
    """By worker: the subscribers that the shard found."""
    recipients: int | None = None
    """To how many the worker wrote it, or whose code it was handed to."""


class Broadcast(msgspec.Struct, frozen=True):
    """A broadcast and its way."""

    published: Published
    hops: tuple[Hop, ...]
    """In order of time."""
    missing: tuple[str, ...] = ()
    """From whom nothing was heard in time."""

    @property
    def at(self) -> int:
        """When it began."""
        return self.hops[0].at


Row = Happened | Broadcast


class Assembly:
    """Of one trace, as whoever asked for it sees it."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._ways: dict[Key, _Way] = {}
        """Broadcasts that are not complete, the oldest first."""
        self._orphans: dict[Key, list[FannedOut | Written]] = {}
        self._orphan_count = 0

    @property
    def full(self) -> bool:
        """Whether as much was found as was asked for; the last broadcasts may still lack hops."""
        return self._left <= 0

    @property
    def complete(self) -> bool:
        """Whether no broadcast lacks a hop."""
        return not self._ways

    def take(self, notes: Iterable[Note], now: int) -> list[Row]:
        """What was noted since. Answers the rows that are complete now or have waited long enough, in order of time."""
        rows: list[Row] = []
        for note in sorted(notes, key=_order):
            match note:
                case Happened():
                    if self._counts():
                        rows.append(note)
                case Published():
                    if self._counts():
                        self._begin(note, now)
                case _:
                    self._add(note)
        return sorted([*rows, *self._finished(now)], key=lambda row: row.at)

    def rest(self) -> list[Row]:
        """All that is not complete, as far as it is known: nothing more will come."""
        ways, self._ways = self._ways, {}
        return sorted((way.row() for way in ways.values()), key=lambda row: row.at)

    def _counts(self) -> bool:
        self._left -= 1
        return self._left >= 0

    def _begin(self, published: Published, now: int) -> None:
        key = published.worker, published.number
        way = self._ways[key] = _Way(published, now)
        orphans = self._orphans.pop(key, [])
        self._orphan_count -= len(orphans)
        for orphan in orphans:
            way.add(orphan)

    def _add(self, part: FannedOut | Written) -> None:
        key = part.publisher, part.number
        if (way := self._ways.get(key)) is not None:
            way.add(part)
            return
        self._orphans.setdefault(key, []).append(part)
        self._orphan_count += 1
        while self._orphan_count > MAX_ORPHANS:
            self._orphan_count -= len(self._orphans.pop(next(iter(self._orphans))))

    def _finished(self, now: int) -> Iterator[Row]:
        done = [key for key, way in self._ways.items() if way.complete or now - way.since >= HOLD]
        return (self._ways.pop(key).row() for key in done)


class _Way:
    """What is known of one broadcast. Parts that come twice, after the death of a shard, count once."""

    def __init__(self, published: Published, now: int) -> None:
        self.since = now
        self._published = published
        self._shards: dict[Slot, FannedOut] = {}
        self._writes: dict[tuple[Slot, int], Written] = {}

    def add(self, part: FannedOut | Written) -> None:
        if isinstance(part, FannedOut):
            self._shards.setdefault(part.slot, part)
        else:
            self._writes.setdefault((part.slot, part.worker), part)

    @property
    def complete(self) -> bool:
        return len(self._shards) >= self._published.shards and not any(self._unwritten())

    def row(self) -> Broadcast:
        hops = chain(self._begun(), *map(_shard_hops, self._shards.values()), *map(_write_hops, self._writes.values()))
        missing = [f"shard {slot} for worker {worker}" for slot, worker in self._unwritten()]
        if (unheard := self._published.shards - len(self._shards)) > 0:
            missing.append(f"{unheard} of {self._published.shards} shards")
        return Broadcast(self._published, tuple(sorted(hops, key=lambda hop: hop.at)), tuple(missing))

    def _unwritten(self) -> Iterator[tuple[Slot, int]]:
        expected = ((slot, worker) for slot, shard in self._shards.items() for worker in shard.members)
        return (one for one in expected if one not in self._writes)

    def _begun(self) -> Iterator[Hop]:
        published = self._published
        if published.node is not None:
            yield from (Hop("bridge in", published.received or published.at), Hop("published", published.at))
            return
        if published.received is not None:
            yield Hop("received", published.received, published.worker)
        if published.decoded is not None:
            yield Hop("decoded", published.decoded, published.worker)
        yield Hop("published", published.at, published.worker)


def _shard_hops(shard: FannedOut) -> tuple[Hop, ...]:
    return (
        Hop("shard in", shard.arrived, slot=shard.slot),
        Hop("encoded", shard.encoded, slot=shard.slot, members=shard.members),
    )


def _write_hops(written: Written) -> tuple[Hop, ...]:
    where = written.worker, written.slot
    return (
        Hop("worker in", written.arrived, *where),
        Hop("first write", written.first_write, *where),
        Hop("last write", written.last_write, *where, recipients=written.recipients),
    )


def _order(note: Note) -> int:
    """Of matches their time, so that the first ones of a page count; parts come before and after as they like."""
    return note.at if isinstance(note, Happened | Published) else 0


def as_plain(row: Row) -> dict[str, Any]:
    """A row as JSON has it."""
    if isinstance(row, Happened):
        plain: dict[str, Any] = msgspec.to_builtins(row)
        del plain["type"]
        return plain
    published = msgspec.to_builtins(row.published)
    for name in ("type", "received", "decoded"):
        published.pop(name, None)
    hops = [msgspec.to_builtins(hop) for hop in row.hops]
    return {"kind": "broadcast", **published, "hops": hops, "missing": row.missing}
