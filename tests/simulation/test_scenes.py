"""Scripted scenes for what random runs show rarely, each with the rule and without it."""

from collections.abc import Callable
from unittest.mock import patch

import pytest

from roost.broker.pool import restarted
from roost.shared.bus import Form, Lane
from roost.shared.shard_map import Slot
from tests.simulation import faults_of_shards  # noqa: F401 - it registers its faults
from tests.simulation.clock import Clock
from tests.simulation.cluster import Cluster
from tests.simulation.planting import planted
from tests.simulation.promises import Broken
from tests.simulation.rest import come_to_rest

SLOT = Slot(0, 0)


def calm_cluster(workers: int) -> Cluster:
    """One shard, at rest, whose supervisor has died; the shard lives on."""
    clock = Clock(1, trace=False)
    clock.calm = True
    cluster = Cluster(clock, 1, publish_window=1000, deliver_window=1000, orphan_life=None)
    for _ in range(workers):
        cluster.start_worker()
    come_to_rest(cluster)
    cluster.kill_supervisor()
    return cluster


def two_incarnations() -> None:
    """A worker on the old map publishes to the old incarnation what a subscriber at the new one is owed."""
    cluster = calm_cluster(workers=2)
    publisher, receiver = cluster.workers.values()
    publisher.pause(0.1)
    publisher.adopt = lambda shard_map: None  # type: ignore[method-assign]
    cluster.start_supervisor()
    cluster.clock.run(2.0)
    receiver.adopt(cluster.map)
    cluster.clock.run(1.0)
    listener = receiver.join(receiver.connect(), "t", Lane.V2, intercepts=False).listener
    cluster.clock.run(2.0)
    assert listener.joined
    publisher.publish("t", Form.JSON, "e", 0, None)
    cluster.clock.run(2.0)
    del publisher.adopt
    cluster.shards[SLOT, 1].die()
    come_to_rest(cluster)


def late_from_the_start() -> None:
    """A shard is spawned and stands still; its supervisor is replaced before it has done anything."""
    late_incarnation(first_step=False)


def late_after_its_first_step() -> None:
    """A shard is spawned and stands still after its first step, whatever that is; its supervisor is replaced."""
    late_incarnation(first_step=True)


def late_incarnation(*, first_step: bool) -> None:
    cluster = calm_cluster(workers=1)
    cluster.write_map(restarted(cluster.map, SLOT))
    cluster.shards[SLOT, 1].die()
    with patch.object(cluster.clock, "delay", lambda mean=0.0: 0.0):
        late = cluster.start_shard(SLOT, 2)
    if first_step:
        cluster.clock.after(0.0, lambda: late.pause(1.0))
        cluster.clock.run(0.0)
    else:
        late.pause(1.0)
    cluster.start_supervisor()
    come_to_rest(cluster)
    cluster.clock.run(2.0)
    come_to_rest(cluster)


SCENES = [
    (two_incarnations, "older_incarnation_left_alive", "P1"),
    (late_after_its_first_step, "map_checked_before_the_lock", "the map does not name it"),
    (late_from_the_start, "map_not_checked", "the map does not name it"),
]


@pytest.mark.parametrize("scene", [two_incarnations, late_from_the_start, late_after_its_first_step])
def test_with_the_rule_nothing_is_wrong(scene: Callable[[], None]) -> None:
    scene()


@pytest.mark.parametrize(("scene", "fault", "what"), SCENES)
def test_without_the_rule_it_is_seen(scene: Callable[[], None], fault: str, what: str) -> None:
    with planted(fault), pytest.raises(Broken, match=what):
        scene()
