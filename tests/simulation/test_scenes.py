"""Scripted scenes for what random runs show rarely, each with the rule and without it."""

from collections.abc import Callable
from unittest.mock import patch

import pytest

from roost.broker.pool import restarted
from roost.shared.bus import Form, Lane
from roost.shared.shard_map import Slot
from tests.simulation import faults_of_shards, faults_of_workers  # noqa: F401 - they register their faults
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


def a_worker_nobody_awaits() -> None:
    """A worker comes while a shard is replaced, and its subscriber stands at the old incarnation."""
    cluster = calm_cluster(workers=1)
    (publisher,) = cluster.workers.values()
    cluster.start_supervisor()
    cluster.supervisor.pause(1.0)
    late = cluster.start_worker()
    late.adopt = lambda shard_map: None  # type: ignore[method-assign]
    cluster.clock.run(0.3)
    late.join(late.connect(), "t", Lane.V2, intercepts=False)
    cluster.clock.run(3.0)
    publisher.publish("t", Form.JSON, "e", 0, None)
    cluster.clock.run(1.0)
    del late.adopt
    come_to_rest(cluster)


def repeated_by_the_dead() -> None:
    """A shard dies with a publish that was handed over; its publisher repeats it to the next one, then dies too."""
    cluster = calm_cluster(workers=2)
    cluster.start_supervisor()
    come_to_rest(cluster)
    publisher, receiver = cluster.workers.values()
    listener = receiver.join(receiver.connect(), "t", Lane.V2, intercepts=False).listener
    come_to_rest(cluster)
    publisher.publish("t", Form.JSON, "e", 0, None)
    while not listener.last:
        cluster.clock.run(0.001)
    receiver.adopt = lambda shard_map: None  # type: ignore[method-assign]
    (shard,) = cluster.living_shards()
    shard.die()
    incarnation = shard.incarnation + 1
    while not ((after := cluster.shards.get((SLOT, incarnation))) and after.core and after.core._queue):
        cluster.clock.run(0.01)
    cluster.kill_worker(publisher)
    cluster.clock.run(2.0)
    del receiver.adopt
    come_to_rest(cluster)


SCENES = [
    (a_worker_nobody_awaits, "workers_listed_too_early", "P1"),
    (repeated_by_the_dead, "the_dead_are_forgotten", "P2"),
    (two_incarnations, "older_incarnation_left_alive", "P1"),
    (late_after_its_first_step, "map_checked_before_the_lock", "the map does not name it"),
    (late_from_the_start, "map_not_checked", "the map does not name it"),
]


@pytest.mark.parametrize("scene", list(dict.fromkeys(scene for scene, _, _ in SCENES)))
def test_with_the_rule_nothing_is_wrong(scene: Callable[[], None]) -> None:
    scene()


@pytest.mark.parametrize(("scene", "fault", "what"), SCENES)
def test_without_the_rule_it_is_seen(scene: Callable[[], None], fault: str, what: str) -> None:
    with planted(fault), pytest.raises(Broken, match=what):
        scene()
