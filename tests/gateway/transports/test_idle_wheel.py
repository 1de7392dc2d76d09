"""The idle wheel with a clock of its own: nobody is silent too early, and everybody is in the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.transports.idle_wheel import SLOTS_A_LIMIT, IdleWheel

LIMIT = float(SLOTS_A_LIMIT)
"""So that a period is one second."""
PERIOD = 1.0

hours = st.lists(st.lists(st.floats(0, 40), min_size=1, max_size=6).map(sorted), max_size=5)
"""For some connections, when they connected and when they were heard."""


class Connection:
    """A connection as the wheel sees it."""

    def __init__(self, heard_at: list[float]) -> None:
        self.heard_at = heard_at
        self.heard = -1.0
        self.silent_at: float | None = None

    def silence(self) -> float:
        """How long it had been silent when the wheel said so."""
        assert self.silent_at is not None, "never found silent"
        return self.silent_at - max(heard for heard in self.heard_at if heard < self.silent_at)


def run(heard: list[list[float]], turns: list[float]) -> list[Connection]:
    """Let connections be heard and the wheel turn, each at its time."""
    connections = [Connection(times) for times in heard]
    wheel: IdleWheel[Connection] = IdleWheel(LIMIT, 0.0)
    assert wheel.period == PERIOD
    before = 0.0
    for now in turns:
        for connection in connections:
            for heard_at in connection.heard_at:
                if before <= heard_at < now and connection.silent_at is None:
                    note(wheel, connection, first=heard_at == connection.heard_at[0])
        for connection in wheel.turn(now):
            assert connection.silent_at is None, "found silent twice"
            connection.silent_at = now
        before = now
    return connections


def note(wheel: IdleWheel[Connection], connection: Connection, *, first: bool) -> None:
    """What a transport does when its connection is made, and when bytes arrive."""
    if first:
        wheel.add(connection)
    else:
        connection.heard = wheel.now


@given(hours)
def test_the_limit_is_met_to_within_one_period(heard: list[list[float]]) -> None:
    for connection in run(heard, [float(turn) for turn in range(1, 60)]):
        assert LIMIT <= connection.silence() <= LIMIT + PERIOD


@given(hours, st.lists(st.floats(0, 0.5), min_size=60, max_size=60))
def test_a_wheel_that_turns_late_is_late_by_as_much_at_most(heard: list[list[float]], late: list[float]) -> None:
    turns, now = [], 0.0
    for delay in late:
        now += PERIOD + delay
        turns.append(now)
    for connection in run(heard, turns):
        assert LIMIT - PERIOD / 2 <= connection.silence() <= (LIMIT + PERIOD) * 1.5 + PERIOD


def test_one_that_was_removed_is_not_watched() -> None:
    wheel: IdleWheel[Connection] = IdleWheel(LIMIT, 0.0)
    removed, kept = Connection([0.0]), Connection([0.0])
    wheel.add(removed)
    wheel.add(kept)
    wheel.remove(removed)
    wheel.remove(removed)
    silent = [connection for turn in range(1, 30) for connection in wheel.turn(float(turn))]
    assert silent == [kept]


def test_one_that_was_found_silent_may_be_watched_again() -> None:
    wheel: IdleWheel[Connection] = IdleWheel(LIMIT, 0.0)
    connection = Connection([0.0])
    wheel.add(connection)
    times = []
    for turn in range(1, 40):
        for found in wheel.turn(float(turn)):
            times.append(turn)
            wheel.add(found)
    assert times == [9, 18, 27, 36]


@pytest.mark.parametrize("times", [1, 1000])
def test_without_a_limit_nothing_is_watched(times: int) -> None:
    wheel: IdleWheel[Connection] = IdleWheel(None, 0.0)
    assert wheel.period is None
    wheel.add(Connection([0.0]))
    assert [connection for turn in range(times) for connection in wheel.turn(turn * 1e6)] == []
