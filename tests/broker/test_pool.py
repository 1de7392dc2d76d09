"""What may become of the shard map."""

from hypothesis import given
from hypothesis import strategies as st

from roost.broker.pool import (
    Phase,
    aborted,
    behind,
    committed,
    fresh,
    grown,
    newest,
    next_map,
    phase,
    restarted,
    retired,
    unopened,
)
from roost.shared.shard_map import EMPTY, ShardMap, Slot


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_fresh_map_uses_no_epoch_again(shards: int, more: int) -> None:
    first = fresh(EMPTY, shards)
    second = fresh(first, more)
    assert first.epochs == {0: (0,) * shards}
    assert second.epochs == {1: (0,) * more}
    assert EMPTY.version < first.version < second.version
    assert (first.publish, second.publish) == (0, 1)


@given(st.integers(1, 5), st.data())
def test_a_restart_changes_one_incarnation_and_the_version(shards: int, data: st.DataObject) -> None:
    before = ShardMap(7, 3, 1, {1: (4,) * shards, 2: (0, 0)})
    slot = data.draw(st.sampled_from(sorted(before.slots())))
    after = restarted(before, slot)
    assert after.slots() == {**before.slots(), slot: before.slots()[slot] + 1}
    assert (after.version, after.next_epoch, after.publish) == (8, 3, 1)
    assert before.incarnation(Slot(1, 0)) == 4


shard_maps = st.builds(
    lambda first, number: ShardMap(number + 1, number + 1, number, {number: first}),
    st.lists(st.integers(1, 9), min_size=1, max_size=5).map(tuple),
    st.integers(0, 9),
)
"""Maps with one epoch."""


def all_open(shard_map: ShardMap) -> set[tuple[Slot, int]]:
    return set(shard_map.slots().items())


class TestAChangeOfTheNumber:
    """A new epoch beside the old one, then only the new one; or only the old one."""

    @given(shard_maps, st.integers(1, 64), st.sets(st.integers(1, 9)))
    def test_it_goes_through_all_phases(self, before: ShardMap, shards: int, workers: set[int]) -> None:
        preparing = grown(before, shards)
        assert phase(before) is Phase.SETTLED
        assert phase(preparing) is Phase.PREPARING
        assert preparing.publish == before.publish
        changing = next_map(preparing, all_open(preparing), {}, workers)
        assert changing is not None
        assert phase(changing) is Phase.CHANGING_OVER
        after = next_map(changing, set(), dict.fromkeys(workers, newest(changing)), workers)
        assert after is not None
        assert phase(after) is Phase.SETTLED
        assert after.epochs == {preparing.next_epoch - 1: (0,) * shards}
        assert before.version < preparing.version < changing.version < after.version

    @given(shard_maps, st.integers(1, 8), st.data())
    def test_it_is_not_committed_before_each_new_shard_has_opened(
        self, before: ShardMap, shards: int, data: st.DataObject
    ) -> None:
        preparing = grown(before, shards)
        missing = data.draw(st.sampled_from([slot for slot in preparing.slots() if slot.epoch == newest(preparing)]))
        opened = all_open(preparing) - {(missing, 0)}
        assert next_map(preparing, opened, {}, set()) is None
        assert unopened(preparing, opened) == {missing}

    @given(shard_maps)
    def test_what_an_older_incarnation_said_does_not_count(self, before: ShardMap) -> None:
        preparing = grown(before, 1)
        again = restarted(preparing, Slot(newest(preparing), 0))
        assert next_map(again, all_open(preparing), {}, set()) is None
        assert next_map(again, all_open(again), {}, set()) is not None

    @given(shard_maps, st.sets(st.integers(1, 9), min_size=1), st.data())
    def test_the_old_epoch_stays_while_a_live_worker_has_not_reported(
        self, before: ShardMap, workers: set[int], data: st.DataObject
    ) -> None:
        changing = committed(grown(before, 2))
        late = data.draw(st.sampled_from(sorted(workers)))
        reports = dict.fromkeys(workers, newest(changing))
        for silent in ({**reports, late: before.publish}, {worker: reports[worker] for worker in workers - {late}}):
            assert next_map(changing, set(), silent, workers) is None
            assert behind(changing, silent, workers) == {late}
            # Once it is dead it is waited for no longer.
            assert next_map(changing, set(), silent, workers - {late}) == retired(changing)

    @given(shard_maps, st.integers(1, 64))
    def test_one_that_was_given_up_leaves_only_its_number_used(self, before: ShardMap, shards: int) -> None:
        after = aborted(grown(before, shards))
        assert (after.epochs, after.publish) == (before.epochs, before.publish)
        assert after.next_epoch == before.next_epoch + 1
        assert after.version > before.version

    @given(shard_maps)
    def test_a_settled_map_needs_no_step(self, before: ShardMap) -> None:
        assert next_map(before, all_open(before), {}, {1}) is None
