"""Two nodes over NATS under a small load: every client hears everything once, and the figures are there."""

from tests.load.cluster.scenario import Size, measure
from tests.load.display import Display

SMALL = Size(nodes=2, clients=2, rate=50.0, rooms=5, window=20, seconds=0.3, topics=40, visitors=3)


def test_nothing_is_lost_between_the_nodes_and_what_it_costs_is_told() -> None:
    *driven, interest = measure(Display(), SMALL)
    for report in driven:
        assert report.faultless(), report.as_data()
        cluster, alone = report.results
        for key in ("publishes_per_second", "cpu_worker", "own_p99"):
            assert (cluster.value(key) or 0) > 0, key
            assert (alone.value(key) or 0) > 0, key
        for key in ("cpu_bridge", "cpu_another_node_bridge", "cpu_nats_server", "others_p99"):
            assert (cluster.value(key) or 0) > 0, key
        assert cluster.value("lost") == cluster.value("duplicated") == 0
    (churned,) = interest.results
    assert (churned.value("buckets") or 0) > SMALL.topics / 2
    assert (churned.value("first_join_p99") or 0) > 0
