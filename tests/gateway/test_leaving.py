"""How many clients a leaving worker sends away at a time."""

import math

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.leaving import BATCH_PERIOD, batch_size
from roost.shared.control import Stop


@given(st.integers(0, 200_000), st.integers(1, 1000), st.floats(0.25, 60))
def test_all_are_told_in_the_time_that_there_is(clients: int, batch: int, spread: float) -> None:
    size = batch_size(clients, Stop(batch, spread, 60))
    assert size >= batch
    assert math.ceil(clients / size) * BATCH_PERIOD <= spread + BATCH_PERIOD


@given(st.integers(0, 1000))
def test_few_are_not_told_faster_than_asked_for(clients: int) -> None:
    assert batch_size(clients, Stop(10, 30, 60)) == 10
