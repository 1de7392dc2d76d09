"""On which loops scenes play."""

from functools import partial

import pytest

from tests.gateway.loops import KINDS, Play, play_on


@pytest.fixture(params=KINDS)
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a scene, once on each kind of loop."""
    return partial(play_on, request.param)
