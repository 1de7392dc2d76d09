"""When no figure is quoted, and what is said of the limit."""

from tests.load.findings import add_driving, add_joining, add_visits
from tests.load.histogram import Histogram
from tests.load.orders import Driven, Joined, Slice, Visited
from tests.load.result import Result
from tests.load.server import ServerProcess
from tests.load.usage import Usage

WORKER = ServerProcess("worker", "worker 1", 1)
SHARD = ServerProcess("shard", "shard 0", 2)


def usage(generator: float, worker: float) -> Usage:
    """Of ten seconds, in shares of a core."""
    return Usage(10.0, {WORKER: 10 * worker, SHARD: 1.0}, [0.2, generator], busy=10 * (worker + generator) + 4.0)


def latency() -> Histogram:
    histogram = Histogram()
    histogram.record(1_000_000)
    return histogram


def driven() -> Driven:
    return Driven(
        messages=10,
        deliveries=1000,
        seconds=10.0,
        latency=latency(),
        last=latency(),
        spread=latency(),
        frame_bytes=9,
        slices=[Slice(10.0, 10.0, 1000, latency())],
    )


def test_the_busiest_process_of_the_generator_decides() -> None:
    assert usage(0.89, 0.5).refusal() == ""
    assert "it used 0.95 of a core" in usage(0.95, 0.5).refusal()


def test_what_was_saturated_is_said() -> None:
    assert usage(0.5, 0.95).saturated() == "worker 1 was saturated (0.95 of a core)"
    assert usage(0.5, 0.5).saturated() == "nothing was saturated; worker 1 used 0.50 of a core"
    assert Usage(10.0).saturated() == "what was saturated is not known"


def test_no_speed_and_no_latency_is_quoted_where_the_generator_was_the_limit() -> None:
    for generator, quoted in ((0.5, True), (0.95, False)):
        result, used = Result("server"), usage(generator, 0.5)
        add_driving(result, driven(), used, open_loop=False)
        add_joining(result, Joined(clients=10, seconds=1.0, latency=latency()), used)
        add_visits(result, Visited(leaves=10, seconds=1.0, join_latency=latency()), used)
        keys = "deliveries_per_second", "messages_per_second", "joins_per_second", "visits_per_second"
        for key in (*keys, "latency_p99", "last_max", "spread_p50", "join_latency_p99", "visit_join_p99"):
            assert (result.value(key) is not None) == quoted, key
        assert any("the generator was the limit" in note for note in result.notes) != quoted


def test_what_went_wrong_is_a_fault() -> None:
    result, wrong = Result("server"), driven()
    wrong.lost, wrong.duplicated = 2, 1
    add_driving(result, wrong, usage(0.5, 0.5), open_loop=False)
    assert result.faults == [
        "2 deliveries were lost, or had not come when the wait for them was over",
        "1 deliveries came twice",
    ]
