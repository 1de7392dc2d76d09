"""At what pace clients are sent away, and how the time that a node has to stop is divided."""

import math

from hypothesis import given
from hypothesis import strategies as st

from roost.shared.config import Machine, read_settings
from roost.shared.drain import LEFT_TO_GATEWAY, Pace, stop_times

MACHINE = Machine(cores=2, user=0, temporary_directory="/tmp", runtime_directory=None)
paces = st.builds(Pace, st.integers(1, 1000), st.floats(0.01, 5), st.floats(0.25, 60))


@given(st.integers(0, 200_000), paces)
def test_all_are_told_in_the_time_that_there_is(clients: int, pace: Pace) -> None:
    size = pace.batch_of(clients)
    assert size >= pace.batch
    assert math.ceil(clients / size) * pace.interval <= pace.spread + pace.interval * 1.001


@given(st.integers(0, 1000))
def test_few_are_not_told_faster_than_asked_for(clients: int) -> None:
    pace = Pace(10, 0.25, 30)
    assert pace.batch_of(clients) == 10
    assert not pace.hurries(clients)


@given(st.integers(0, 200_000), paces)
def test_what_is_hurried_would_have_taken_longer(clients: int, pace: Pace) -> None:
    if pace.hurries(clients):
        assert pace.batch_of(clients) > pace.batch
        assert pace.seconds(clients) > pace.spread


def test_without_any_time_all_are_told_at_once() -> None:
    assert Pace(10, 0.25, 0).batch_of(5000) == 5000
    assert Pace(10, 0.25, 0).hurries(11)
    assert not Pace(10, 0.25, 0).hurries(10)


@given(paces, st.integers(1, 64))
def test_workers_share_a_batch(pace: Pace, workers: int) -> None:
    assert pace.shared_by(workers).batch * workers <= max(pace.batch, workers)
    assert pace.shared_by(workers).batch >= 1


@given(st.floats(0, 3600), st.floats(4, 3600))
def test_a_stop_keeps_within_its_limit_and_its_order(drain_limit: float, stop_limit: float) -> None:
    times = stop_times(drain_limit, stop_limit)
    assert 0 <= times.spread <= drain_limit
    assert times.closing > 0.49
    assert times.spread + times.closing < times.limit < times.kill <= stop_limit - LEFT_TO_GATEWAY


def test_under_honcho_a_node_has_five_seconds() -> None:
    assert read_settings(MACHINE).stop_limit == 60
    honcho = Machine(2, 0, "/tmp", None, honcho=True)
    assert read_settings(honcho).stop_limit == 5
    assert read_settings(honcho, {"ROOST_STOP_LIMIT": "20"}).stop_limit == 20
    times = stop_times(30, 5)
    assert (times.spread, times.closing, times.limit, times.kill) == (1.5, 1.0, 3.0, 3.5)


def test_where_time_is_plenty_all_have_theirs() -> None:
    times = stop_times(30)
    assert (times.spread, times.closing, times.limit, times.kill) == (30, 5, 45, 50)
