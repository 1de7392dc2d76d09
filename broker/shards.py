"""The shard processes of a node, a supervisor for each epoch, and the change of their number. `pool` decides."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from roost.broker.pool import Phase, aborted, behind, grown, newest, next_map, phase, restarted, unopened
from roost.shared.config import MAX_SHARDS, LogSettings
from roost.shared.control import (
    Message,
    Opened,
    Publishing,
    StartShard,
)
from roost.shared.link import LinkClosed, Refused
from roost.shared.resharding import ReshardingPhase, ReshardingStatus
from roost.shared.run_directory import RunDirectory, shard_name
from roost.shared.shard_map import ShardMap, Slot
from roost.shared.supervisor import Child, Supervisor

RESHARD_LIMIT: Final = 60.0
"""Seconds in which all shards of a new epoch must be open; else the change is given up."""
MAX_FAILED_STARTS: Final = 5
"""So often a shard of a new epoch may die before it is open; else the change is given up."""
STEP_PERIOD: Final = 0.05
"""Seconds between two looks at what a change waits for, if nothing is heard."""
WRITE_PERIOD: Final = 0.5
"""Seconds between two attempts to write the map for a shard that is to be started, as while the disk is full."""
SHARD_LIMIT: Final = 1.0
"""Seconds that a shard has to stop before it is killed."""

T = TypeVar("T")
_log = logging.getLogger("roost.broker")


class Shards:
    """All shards. Whoever owns this carries the map to the workers and their word back."""

    def __init__(
        self,
        run_dir: RunDirectory,
        shard_map: ShardMap,
        announce: Callable[[ShardMap], None],
        *,
        stall_limit: float,
        logs: LogSettings,
    ) -> None:
        """`announce` is called with each new map, after it was written."""
        self.map = shard_map
        self.resharding: ReshardingStatus | None = None
        """The change of the number of shards that is under way, or the last one."""
        self.gave_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set to one sentence when the shards cannot be kept alive."""
        self._run_dir = run_dir
        self._announce = announce
        self._stall_limit = stall_limit
        self._logs = logs
        self._pools: dict[int, Supervisor] = {}
        self._opened: set[tuple[Slot, int]] = set()
        self._publishing: dict[int, int] = {}
        self._failed_starts: Counter[Slot] = Counter()
        self._heard = asyncio.Event()
        self._change: asyncio.Task[None] | None = None
        self._unwritten = False
        """Whether the last attempt to write the map failed."""
        self._restarts_before = 0
        """Of shards of epochs that are no more."""

    @property
    def restarts(self) -> int:
        """How often a shard was started again."""
        return self._restarts_before + sum(pool.restarts for pool in self._pools.values())

    def start(self) -> None:
        """Start every shard that the map names; a change that an earlier broker began is carried on (M7)."""
        for epoch in self.map.epochs:
            self._start(epoch)
        if phase(self.map) is not Phase.SETTLED:
            self._begin_change(len(self.map.epochs[min(self.map.epochs)]))

    def scale(self, shards: int) -> ReshardingStatus:
        """Begin to change the number of shards, without a break for anybody. Raises Refused."""
        if self._change is not None:
            assert self.resharding is not None
            raise Refused(
                f"the number of shards is being changed already, from {self.resharding.shards_before} "
                f"to {self.resharding.shards}: wait until that is done"
            )
        if not 1 <= shards <= MAX_SHARDS:
            raise Refused(f"a node has 1 to {MAX_SHARDS} shards, not {shards}")
        before = len(self.map.slots())
        try:
            self._adopt(grown(self.map, shards))
        except OSError as error:
            raise Refused(f"the shard map cannot be written: {error}") from None
        self._start(newest(self.map))
        return self._begin_change(before)

    def publishes(self, report: Publishing) -> None:
        """A worker says in which epoch it publishes."""
        self._publishing[report.worker] = report.epoch
        self._heard.set()

    def tell_all(self, message: Message) -> None:
        """Tell every shard."""
        for pool in self._pools.values():
            pool.tell_all(message)
        self._heard.set()

    async def ask_all(self, question: Message, answer: type[T], limit: float) -> tuple[list[T], list[str]]:
        """The answers of all shards, and the names of those that did not answer within `limit` seconds."""
        results = await asyncio.gather(*(pool.ask_all(question, answer, limit) for pool in self._pools.values()))
        return [one for answers, _ in results for one in answers], [one for _, silent in results for one in silent]

    async def ask_each(self, question: Message, answer: type[T], limit: float) -> list[tuple[Child, int, T | None]]:
        """Each shard process, how often it was started again, and its answer; None if there was none in time."""
        pools = list(self._pools.values())
        results = await asyncio.gather(*(pool.ask_each(question, answer, limit) for pool in pools))
        return [
            (child, pool.restarts_of[child.name], found)
            for pool, answers in zip(pools, results, strict=True)
            for child, found in answers
        ]

    async def ask(self, slot: Slot, question: Message, answer: type[T], limit: float) -> T:
        """The answer of one shard. Raises LinkClosed, TimeoutError."""
        pool = self._pools.get(slot.epoch)
        shard = pool.children.get(f"shard {slot}") if pool is not None else None
        if shard is None:
            raise LinkClosed
        return await shard.link.ask(question, answer, limit)

    async def stop(self) -> None:
        """Stop all shards."""
        if self._change is not None:
            self._change.cancel()
        await asyncio.gather(*(pool.stop(SHARD_LIMIT) for pool in self._pools.values()))

    # Processes

    def _start(self, epoch: int) -> None:
        pool = self._pools[epoch] = Supervisor(
            "roost.broker.shard_process", self._told, self._asked, self._exited, stall_limit=self._stall_limit
        )
        pool.gave_up.add_done_callback(partial(self._pool_gave_up, epoch))
        for slot in self.map.slots():
            if slot.epoch == epoch:
                pool.keep(f"shard {slot}", partial(self._next_incarnation, slot))

    async def _next_incarnation(self, slot: Slot) -> StartShard:
        """Rule M1: the map names the incarnation before it is started, and no older one may live then."""
        older = self.map.incarnation(slot)
        assert older is not None
        while not self._adopts(restarted(self.map, slot)):
            await asyncio.sleep(WRITE_PERIOD)
        for living in self._run_dir.live_incarnations(slot):
            await self._run_dir.end(shard_name(slot, living))
        return StartShard(slot, older + 1, str(self._run_dir.path), self._logs)

    def _told(self, _shard: Child, message: Message) -> None:
        if isinstance(message, Opened):
            self._opened.add((message.slot, message.incarnation))
            self._heard.set()

    async def _asked(self, shard: Child, message: Message) -> Any:
        raise Refused(f"the broker answers no {type(message).__name__} to {shard.name}")

    def _exited(self, shard: Child) -> None:
        assert isinstance(shard.start, StartShard)
        with contextlib.suppress(OSError):
            self._run_dir.remove_bus_socket(shard.start.slot, shard.start.incarnation)
        if (shard.start.slot, shard.start.incarnation) not in self._opened:
            self._failed_starts[shard.start.slot] += 1
        self._heard.set()

    def _pool_gave_up(self, epoch: int, pool: asyncio.Future[str]) -> None:
        self._heard.set()
        given_up = epoch not in self.map.epochs or (self._preparing() and epoch == newest(self.map))
        if not given_up and not self.gave_up.done():
            self.gave_up.set_result(pool.result())

    # A change of their number

    def _begin_change(self, before: int) -> ReshardingStatus:
        loop = asyncio.get_running_loop()
        epoch = newest(self.map)
        status = ReshardingStatus(epoch, before, len(self.map.epochs[epoch]), ReshardingPhase.PREPARING)
        self.resharding = status
        self._change = asyncio.ensure_future(self._carry_through(loop.time()))
        _log.info("changing from %d to %d shards", before, status.shards)
        return status

    async def _carry_through(self, began: float) -> None:
        """Take each step when its time has come."""
        loop = asyncio.get_running_loop()
        why = ""
        while phase(self.map) is not Phase.SETTLED:
            live = self._run_dir.live_workers()
            self._heard.clear()
            step = next_map(self.map, self._opened, self._publishing, live)
            if step is None and self._preparing() and (why := self._hopeless(loop.time() - began)):
                step = aborted(self.map)
            if step is None or not await self._take(step):
                self._note_progress(live, loop.time() - began)
                await self._hear()
        self._end_change(why, loop.time() - began)

    def _hopeless(self, seconds: float) -> str:
        """Why the new epoch will not come to be; empty while it may."""
        gave_up = self._pools[newest(self.map)].gave_up
        if gave_up.done():
            return gave_up.result()
        for slot in sorted(unopened(self.map, self._opened)):
            if self._failed_starts[slot] >= MAX_FAILED_STARTS:
                return f"shard {slot} died {MAX_FAILED_STARTS} times before it was open; the log says why"
        if seconds < RESHARD_LIMIT:
            return ""
        late = ", ".join(f"shard {slot}" for slot in sorted(unopened(self.map, self._opened)))
        return f"{late} did not open within {RESHARD_LIMIT:g} s"

    async def _take(self, step: ShardMap) -> bool:
        """The map first, then what follows from it: shards that it does not name any more are ended (M6).

        False if the map cannot be written now: then nothing has happened.
        """
        if not self._adopts(step):
            return False
        for epoch in self._pools.keys() - step.epochs.keys():
            await self._pools[epoch].stop(SHARD_LIMIT)
            self._restarts_before += self._pools.pop(epoch).restarts
        self._opened = {one for one in self._opened if one[0].epoch in step.epochs}
        self._failed_starts.clear()
        return True

    def _note_progress(self, live: set[int], seconds: float) -> None:
        assert self.resharding is not None
        if self._preparing():
            now = ReshardingPhase.PREPARING
            missing = [f"shard {slot}" for slot in sorted(unopened(self.map, self._opened))]
        else:
            now = ReshardingPhase.CHANGING_OVER
            missing = [f"worker {worker}" for worker in sorted(behind(self.map, self._publishing, live))]
        self.resharding = self.resharding.at(now, tuple(missing), seconds)

    def _end_change(self, why: str, seconds: float) -> None:
        assert self.resharding is not None
        self._change = None
        if why:
            self.resharding = self.resharding.at(ReshardingPhase.ABORTED, (), seconds, why)
            _log.warning("%d shards as before: %s", self.resharding.shards_before, why)
        else:
            self.resharding = self.resharding.at(ReshardingPhase.DONE, (), seconds)
            _log.info("%d shards after %.2f s", self.resharding.shards, seconds)

    async def _hear(self) -> None:
        try:
            async with asyncio.timeout(STEP_PERIOD):
                await self._heard.wait()
        except TimeoutError:
            pass

    def _preparing(self) -> bool:
        return phase(self.map) is Phase.PREPARING

    def _adopts(self, shard_map: ShardMap) -> bool:
        """Adopt it; False if it cannot be written now, which is logged once."""
        try:
            self._adopt(shard_map)
        except OSError as error:
            if not self._unwritten:
                _log.error("the shard map cannot be written, trying again until it can: %s", error)
            self._unwritten = True
            return False
        return True

    def _adopt(self, shard_map: ShardMap) -> None:
        """The file first: nobody may act on a map that the next broker would not find. Raises OSError."""
        self._run_dir.write_map(shard_map)
        self._unwritten = False
        self.map = shard_map
        self._announce(shard_map)
