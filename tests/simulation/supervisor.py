"""The broker as supervisor of shards: the real steps of the map, torn apart, so that it may die between any two."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from roost.broker import pool
from roost.shared.shard_map import ShardMap, Slot
from tests.simulation.clock import Process

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster
    from tests.simulation.shard import SimShard

ROUND: Final = 0.1
"""Seconds between two looks, about."""

Steps = Generator[None, None, None]


class SimSupervisor(Process):
    """It knows nothing but the map, the locks and its own children."""

    def __init__(self, cluster: "Cluster", number: int) -> None:
        super().__init__(cluster.clock, f"supervisor {number}")
        self.cluster = cluster
        self.children: dict[Slot, SimShard] = {}
        self.opened: set[tuple[Slot, int]] = set()
        self.publishing: dict[int, int] = {}
        self._restarting: set[Slot] = set()
        self.locked = True
        self.clock.note(f"{self.name} begins")
        self._changing = False
        self._round()

    def _round(self) -> None:
        self.later(self.clock.delay(ROUND), self._round)
        for slot in self.cluster.map.slots():
            child = self.children.get(slot)
            if (child is None or not child.running) and slot not in self._restarting:
                self._restarting.add(slot)
                self._perform(self.restart(slot))
        self.kill_unnamed()
        if not self._changing:
            self._changing = True
            self._perform(self.change())

    def _perform(self, steps: Steps) -> None:
        """One step now, the next one later, unless dead by then."""
        if next(steps, steps) is not steps:
            self.later(self.clock.delay(0.03), lambda: self._perform(steps))

    def write(self, shard_map: ShardMap) -> None:
        """Replace the file, and push."""
        self.cluster.write_map(shard_map)

    # M1

    def restart(self, slot: Slot) -> Steps:
        """The map names the incarnation before it is started, and no older one may live then."""
        if self.cluster.map.incarnation(slot) is not None:
            self.write(pool.restarted(self.cluster.map, slot))
            incarnation = self.cluster.map.incarnation(slot)
            assert incarnation is not None
            self.clock.meet("restart of a shard", f"{slot} as incarnation {incarnation}")
            if pool.phase(self.cluster.map) is not pool.Phase.SETTLED:
                self.clock.meet("restart during a change")
            yield
            self.kill_older(slot, incarnation)
            yield
            self.children[slot] = self.cluster.start_shard(slot, incarnation)
        self._restarting.discard(slot)

    def kill_older(self, slot: Slot, incarnation: int) -> None:
        for shard in self.cluster.living_shards():
            if shard.slot == slot and shard.incarnation < incarnation:
                shard.die()

    # M2 to M5

    def scale(self, shards: int) -> None:
        if pool.phase(self.cluster.map) is not pool.Phase.SETTLED:
            self.clock.meet("scaling refused")
            return
        self.clock.meet("scaling", f"to {shards}")
        self.write(pool.grown(self.cluster.map, shards))

    def abort(self) -> None:
        if pool.phase(self.cluster.map) is pool.Phase.PREPARING:
            self.clock.meet("abort")
            self.write(pool.aborted(self.cluster.map))

    def change(self) -> Steps:
        """Commit or retire when all are ready; who lives is listed while the phase is known."""
        before = self.cluster.map
        live_workers = self.cluster.live_workers()
        yield
        if before is self.cluster.map:
            after = self.next_map(before, live_workers)
            if after is not None:
                self.clock.meet("retire" if len(after.epochs) < len(before.epochs) else "commit")
                self.write(after)
        self._changing = False

    def next_map(self, current: ShardMap, live_workers: set[int]) -> ShardMap | None:
        return pool.next_map(current, self.opened, self.publishing, live_workers)

    # M6

    def kill_unnamed(self) -> None:
        """Kill every live shard whose slot the map does not name."""
        slots = self.cluster.map.slots()
        for shard in self.cluster.living_shards():
            if shard.slot not in slots:
                self.clock.meet("unnamed shard killed", shard.name)
                shard.die()

    def die(self) -> None:
        """Its children die with it, though not at the same instant."""
        super().die()
        life = self.cluster.orphan_life
        if life is not None:
            for child in self.children.values():
                child.later(self.clock.delay(life), child.die)
