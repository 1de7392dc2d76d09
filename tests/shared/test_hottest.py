"""The topics of all shards are put together: deliveries added up, publishes counted once."""

from hypothesis import given
from hypothesis import strategies as st

from roost.shared.hottest import HotTopic, ShardTopics, hottest_of_all
from roost.shared.shard_map import Slot


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.lists(st.integers(1, 9), min_size=3, max_size=3))))
def test_deliveries_are_each_shards_own_and_publishes_are_of_all(truth: dict[str, tuple[list[int]]]) -> None:
    answers = [
        ShardTopics(
            Slot(0, shard), tuple(HotTopic(topic, float(counts[shard]), 7.0, 1.0) for topic, (counts,) in truth.items())
        )
        for shard in range(3)
    ]
    found = hottest_of_all(answers, 4)
    assert [row.deliveries for row in found] == sorted((sum(counts) for (counts,) in truth.values()), reverse=True)[:4]
    assert all(row.deliveries == sum(truth[row.topic][0]) for row in found)
    assert all((row.publishes, row.error) == (7.0, 3.0) for row in found)


def test_while_the_number_of_shards_changes_each_publish_is_in_one_epoch() -> None:
    answers = [
        ShardTopics(Slot(epoch, shard), (HotTopic("room", 1.0, publishes, 0.0),))
        for epoch, shard, publishes in ((0, 0, 3.0), (0, 1, 4.0), (1, 0, 5.0), (1, 1, 5.0))
    ]
    assert hottest_of_all(answers, 1) == (HotTopic("room", 4.0, 9.0, 0.0),)
    assert hottest_of_all(answers, 0) == ()
