"""Changes the number of workers of a running gateway, one change at a time.

New workers are started before the change is taken to be good. Workers that are removed leave in order, all at once and
at a common pace, so that no client is sent from one of them to another.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import count, islice
from typing import Final

from msgspec.structs import replace

from roost.gateway.processes.headcount import count_clients
from roost.shared.config import MAX_WORKERS
from roost.shared.control import Message, Stop
from roost.shared.drain import Pace, stop_times
from roost.shared.failures import CannotStart
from roost.shared.link import Refused
from roost.shared.supervisor import Supervisor
from roost.shared.worker_change import WorkerChange, WorkerChangePhase

LOOK_PERIOD: Final = 0.2
"""Seconds between two counts of the clients that are left."""

RESTART_LIMIT: Final = 1.0
"""Seconds that workers have to stop when they are started anew; then they are killed."""

_log = logging.getLogger("roost.gateway")


def worker_at(place: int) -> str:
    """The name of the worker at a place: the place stays when the process is started again."""
    return f"worker {place}"


class WorkerScaling:
    """How many workers there are, and the change of that."""

    def __init__(
        self, workers: Supervisor, prepare: Callable[[], Awaitable[Message]], pace: Callable[[], Pace], start: int
    ) -> None:
        """`prepare` says what a new worker is to be, `pace` how all that leave send their clients away.

        `start` workers are kept from now on.
        """
        self._workers = workers
        self._pace = pace
        self._prepare = prepare
        self._places = list(range(start))
        self._numbers = count(1)
        self._changing: asyncio.Task[None] | None = None
        self._began = 0.0
        self.change: WorkerChange | None = None
        """The change that is under way, or the last one."""
        for place in self._places:
            workers.keep(worker_at(place), prepare)

    def scale(self, workers: int) -> WorkerChange:
        """Begin to change the number of workers. Raises Refused."""
        if self._changing is not None:
            assert self.change is not None
            raise Refused(
                f"the number of workers is being changed already, from {self.change.workers_before} "
                f"to {self.change.workers}: wait until that is done"
            )
        if not 1 <= workers <= MAX_WORKERS:
            raise Refused(f"a gateway has 1 to {MAX_WORKERS} workers, not {workers}")
        before = len(self._places)
        if workers == before:
            self.change = WorkerChange(next(self._numbers), before, workers, WorkerChangePhase.DONE)
            return self.change
        phase = WorkerChangePhase.STARTING if workers > before else WorkerChangePhase.DRAINING
        self.change = WorkerChange(next(self._numbers), before, workers, phase)
        self._began = asyncio.get_running_loop().time()
        self._changing = asyncio.ensure_future(self._carry_through(workers))
        _log.info("changing from %d to %d workers", before, workers)
        return self.change

    async def restart(self) -> None:
        """Start all workers anew, their clients sent away at once. Raises CannotStart: then those that failed are gone.

        Nothing is done while the number of workers is being changed.
        """
        if self._changing is not None:
            return
        names = [worker_at(place) for place in self._places]
        if kept := [name for name in names if self._workers.keeps(name)]:
            await self._workers.stop(RESTART_LIMIT, *kept, how=Stop(Pace(spread=0), closing=0.2, limit=0.5))
        results = await asyncio.gather(
            *(self._workers.add(name, self._prepare) for name in names), return_exceptions=True
        )
        for failure in results:
            if failure is not None:
                raise failure

    def stop(self) -> None:
        """Leave a change that is under way as it is: all workers are about to stop."""
        if self._changing is not None:
            self._changing.cancel()

    async def _carry_through(self, workers: int) -> None:
        try:
            if workers > len(self._places):
                await self._add(workers - len(self._places))
            else:
                await self._remove(self._places[workers:])
        except CannotStart as error:
            self._note(WorkerChangePhase.ABORTED, reason=str(error))
            _log.warning("%d workers as before: %s", len(self._places), error)
        except Exception:  # noqa: BLE001 - whoever waits for the end of the change must hear of it
            self._note(WorkerChangePhase.ABORTED, reason="it failed; the gateway's log has the reason")
            _log.exception("the number of workers could not be changed")
        else:
            self._note(WorkerChangePhase.DONE)
            _log.info("%d workers", len(self._places))
        finally:
            self._changing = None

    async def _add(self, number: int) -> None:
        """All of them, or none."""
        free = list(islice((place for place in count() if place not in self._places), number))
        results = await asyncio.gather(
            *(self._workers.add(worker_at(place), self._prepare) for place in free), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            good = [worker_at(place) for place, result in zip(free, results, strict=True) if result is None]
            if good:
                await self._drain(good)
            raise failures[0]
        self._places = sorted(self._places + free)

    async def _remove(self, places: list[int]) -> None:
        # From here on they are not started again, whatever becomes of the change.
        self._places = self._places[: -len(places)]
        await self._drain([worker_at(place) for place in places])

    async def _drain(self, names: list[str]) -> None:
        pace = self._pace()
        times = stop_times(pace.spread)
        how = Stop(pace.shared_by(len(names)), times.closing, times.limit)
        clients = await self._clients(names)
        self._note(WorkerChangePhase.DRAINING, clients=clients, left=clients)
        stopping = asyncio.ensure_future(self._workers.stop(times.kill, *names, how=how))
        try:
            while not (await asyncio.wait([stopping], timeout=LOOK_PERIOD))[0]:
                self._note(WorkerChangePhase.DRAINING, left=await self._clients(names))
        finally:
            stopping.cancel()
        self._note(WorkerChangePhase.DRAINING, left=0, killed=tuple(stopping.result()))

    async def _clients(self, names: list[str]) -> int:
        """How many clients are connected to these workers."""
        children = [child for name, child in self._workers.children.items() if name in names]
        return (await count_clients(children)).clients

    def _note(self, phase: WorkerChangePhase, **news: object) -> None:
        assert self.change is not None
        seconds = asyncio.get_running_loop().time() - self._began
        self.change = replace(self.change, phase=phase, seconds=seconds, **news)
