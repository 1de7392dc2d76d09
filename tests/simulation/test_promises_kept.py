"""300 seeds, and some with a bridge: every promise, limit and book holds, and every kind of event is met."""

from collections import Counter
from typing import Final

import pytest

from tests.simulation.scenario import play

SEEDS: Final = 300
SHARES: Final = 12
BRIDGED_SEEDS: Final = 40
KINDS: Final = frozenset(
    {
        *("join", "leave", "rejoin", "publish", "delivery", "reply after a broadcast", "wait for credit", "withdraw"),
        *("left while handed over to", "duplicate at a worker", "duplicate at a shard", "publish waits for a barrier"),
        *("break", "silent hole", "broken counter at a worker", "broken counter at a shard", "late map"),
        *("old session at a worker", "old session at a shard", "word of a dead worker", "pause", "session"),
        *("shard killed", "shard killed in a change", "all shards killed", "shard begins", "orphan ends"),
        *("restart of a shard", "restart during a change", "unnamed shard killed"),
        *("worker started", "worker killed", "drain", "worker drained"),
        *("supervisor killed", "supervisor killed in a change", "supervisor started", "calm without a supervisor"),
        *("scaling", "scaling refused", "abort", "commit", "change-over", "retire"),
    }
)


@pytest.mark.parametrize("share", range(SHARES))
def test_every_promise_is_kept_and_every_kind_of_event_met(share: int) -> None:
    """A share of the seeds. A seed that fails says how to see it again alone."""
    met: Counter[str] = Counter()
    for seed in range(1 + share, 1 + SEEDS, SHARES):
        met += play(seed)
    assert met.keys() == KINDS


def test_joins_wait_for_the_bridge_and_never_hang_for_it() -> None:
    met: Counter[str] = Counter()
    for seed in range(1, 1 + BRIDGED_SEEDS):
        met += play(-seed)
    assert met.keys() >= {"bridge begins", "bridge killed", "gave up waiting for the bridge"}


def test_a_seed_is_the_same_each_time() -> None:
    assert play(1) == play(1)
