"""How hypothesis runs here: without a deadline, for a busy machine proves nothing. And on which loops scenes play."""

from functools import partial

import pytest
from hypothesis import HealthCheck, settings

from tests.gateway.loops import KINDS, Play, play_on

settings.register_profile("roost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("roost")


@pytest.fixture(params=KINDS)
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a scene, once on each kind of loop."""
    return partial(play_on, request.param)
