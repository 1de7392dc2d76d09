"""Broadcasts are put together from what processes noted, in whatever order that comes."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from roost.shared.shard_map import Slot
from roost.shared.trace import FannedOut, Happened, Note, Published, Written
from roost.shared.trace_assembly import HOLD, MAX_ORPHANS, Assembly, Broadcast, as_plain


@dataclass(frozen=True)
class Way:
    """One broadcast: for each shard, its members by worker."""

    number: int
    shards: tuple[tuple[int, ...], ...]

    @property
    def at(self) -> int:
        return self.number * 1000

    def notes(self) -> list[Note]:
        published = Published(self.at + 2, 1, self.number, "room:1", "new", len(self.shards), 5, received=self.at)
        notes: list[Note] = [published]
        for shard, workers in enumerate(self.shards):
            slot, members = Slot(0, shard), dict.fromkeys(workers, 3)
            notes.append(FannedOut(1, self.number, slot, self.at + 5 + shard, self.at + 10 + shard, members))
            for worker in workers:
                arrived = self.at + 20 + shard + worker
                notes.append(Written(1, self.number, slot, worker, arrived, arrived + 10, arrived + 20, 3))
        return notes

    def hops(self) -> int:
        return 2 + sum(2 + 3 * len(workers) for workers in self.shards)


WORKERS = st.lists(st.integers(1, 3), unique=True, max_size=3).map(tuple)
WAYS = st.lists(st.lists(WORKERS, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6).map(
    lambda all_shards: [Way(number, shards) for number, shards in enumerate(all_shards, 1)]
)


@given(WAYS, st.data())
def test_every_broadcast_is_shown_once_with_all_its_hops(ways: list[Way], data: st.DataObject) -> None:
    """In whatever order and pages its parts come, and if some come twice."""
    notes = [note for way in ways for note in way.notes()]
    parts = [note for note in notes if not isinstance(note, Published)]
    repeated = data.draw(st.lists(st.sampled_from(parts), max_size=5)) if parts else []
    shuffled = data.draw(st.permutations([*notes, *repeated]))
    assembly, rows = Assembly(100), []
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        rows += assembly.take(shuffled[:size], 0)
        shuffled = shuffled[size:]
    assert assembly.complete
    shown = {row.published.number: row for row in rows if isinstance(row, Broadcast)}
    assert len(shown) == len(rows) == len(ways)
    for way in ways:
        row = shown[way.number]
        assert row.missing == ()
        assert len(row.hops) == way.hops()
        assert [hop.at for hop in row.hops] == sorted(hop.at for hop in row.hops)
        assert row.at == way.at
        assert row.hops[0].hop == "received"


def test_what_came_from_another_node_begins_at_the_bridge() -> None:
    published = Published(5, 9, 1, "room:1", "new", 1, 7, node="b", received=3)
    (row,) = Assembly(1).take([published, FannedOut(9, 1, Slot(0, 0), 8, 9, {})], 0)
    assert isinstance(row, Broadcast)
    assert [(hop.hop, hop.at, hop.worker) for hop in row.hops[:3]] == [
        ("bridge in", 3, None),
        ("published", 5, None),
        ("shard in", 8, None),
    ]
    assert as_plain(row)["node"] == "b"


@given(WAYS, st.data())
def test_what_lacks_a_hop_is_shown_in_time_and_says_so(ways: list[Way], data: st.DataObject) -> None:
    notes = [note for way in ways for note in way.notes()]
    parts = [note for note in notes if not isinstance(note, Published)]
    gone = [note for note in parts if data.draw(st.booleans())]
    assembly = Assembly(100)
    rows = assembly.take([note for note in notes if note not in gone], 7)
    lacking = {note.number for note in gone if not isinstance(note, Happened)}
    assert {row.published.number for row in rows if isinstance(row, Broadcast)} >= {
        way.number for way in ways
    } - lacking
    assert assembly.take([], 6 + HOLD) == []
    late = assembly.take([], 7 + HOLD)
    assert len(rows) + len(late) == len(ways)
    assert all(isinstance(row, Broadcast) and row.missing for row in late)
    assert assembly.complete


def test_it_is_named_what_lacks() -> None:
    way = Way(1, ((1, 2), (2,)))
    silent = [note for note in way.notes() if not (isinstance(note, Written) and note.worker == 2)]
    assembly = Assembly(1)
    assert assembly.take(silent, 0) == []
    (row,) = assembly.rest()
    assert isinstance(row, Broadcast)
    assert row.missing == ("shard 0/0 for worker 2", "shard 0/1 for worker 2")
    assembly = Assembly(1)
    assembly.take(way.notes()[:1], 0)
    (row,) = assembly.rest()
    assert isinstance(row, Broadcast)
    assert row.missing == ("2 of 2 shards",)


@given(st.integers(1, 8), st.integers(0, 12))
def test_no_more_is_shown_than_was_asked_for(limit: int, there: int) -> None:
    assembly = Assembly(limit)
    happened = [Happened("push", at, 1) for at in range(there)]
    rows = assembly.take(reversed(happened), 0)
    assert rows == happened[:limit]
    assert assembly.full is (there >= limit)
    assert assembly.take(Way(99, ((),)).notes(), 0) == [] or there < limit


def test_parts_of_unknown_broadcasts_are_bounded() -> None:
    assembly = Assembly(10)
    first, second = Way(1, ((),)), Way(MAX_ORPHANS + 1, ((),))
    for number in range(1, MAX_ORPHANS + 2):
        assembly.take([FannedOut(1, number, Slot(0, 0), 1, 2, {})], 0)
    assert assembly.take(first.notes()[:1], 0) == []
    assert len(assembly.take(second.notes()[:1], 0)) == 1
