"""What may become of the shard map."""

from hypothesis import given
from hypothesis import strategies as st

from roost.broker.pool import fresh, restarted
from roost.shared.shard_map import EMPTY, ShardMap, Slot


@given(st.integers(1, 64), st.integers(1, 64))
def test_a_fresh_uses_no_epoch_again(shards: int, more: int) -> None:
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
