"""The bridge as its broker keeps it: started again when it dies, told what it missed, and never the end of the node."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec.structs import replace

from roost.broker.bridge.engine import engine_options
from roost.shared.cluster import AskedHere, ClusterNews, Interest, Listening
from roost.shared.config import Settings
from roost.shared.control import (
    MapChanged,
    Message,
    Publishing,
    Ready,
    StartBridge,
    WorkerExited,
)
from roost.shared.inspection import ProcessBranch
from roost.shared.link import LinkClosed, Refused
from roost.shared.run_directory import RunDirectory
from roost.shared.supervisor import Child, Supervisor
from roost.shared.trace import EndTrace

BRIDGE: Final = "bridge"
STOP_LIMIT: Final = 1.0
"""Seconds that a bridge has to stop before it is killed."""
GIVE_UP_PAUSE: Final = 10.0
"""Seconds after which a bridge that could not be kept alive is tried again: the node goes on without it."""

_log = logging.getLogger("roost.broker")


class KeptBridge:
    """The bridge of a node that is one of a cluster."""

    def __init__(
        self,
        settings: Settings,
        run_dir: RunDirectory,
        announce: Callable[[Message], None],
        publishes: Callable[[Publishing], None],
        exited: Callable[[WorkerExited], None],
        asked: Callable[[AskedHere], Awaitable[Any]],
    ) -> None:
        """`announce` is for all workers, `publishes` and `exited` for the shards; `asked` answers other nodes."""
        self._settings = settings
        self._run_dir = run_dir
        self._announce = announce
        self._publishes = publishes
        self._exited_here = exited
        self._asked_here = asked
        self._again = bool(run_dir.live_workers())
        """Whether the node may have had a bridge before."""
        self._was_ready = False
        self._interests: dict[int, Interest] = {}
        self._greeted: Child | None = None
        self._supervisor: Supervisor | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.listening: Listening | None = None
        """What it told last, for gateways that come later."""
        self.gave_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set to one sentence when it never came to be."""

    def start(self) -> None:
        """Keep one from now on."""
        self._keeping = asyncio.ensure_future(self._keep())

    async def stop(self) -> None:
        """Let it hand over what waits and say goodbye."""
        if self._keeping is not None:
            self._keeping.cancel()
        if self._supervisor is not None:
            await self._supervisor.stop(STOP_LIMIT)

    def tell(self, message: Interest | MapChanged | WorkerExited | EndTrace) -> None:
        """What a worker says, what became of one, or what else a bridge is to know."""
        match message:
            case Interest(worker):
                self._interests[worker] = message
            case WorkerExited(worker):
                self._interests.pop(worker, None)
        if self._greeted is not None:
            self._greeted.link.tell(message)

    async def ask(self, question: Message, answer: Any, limit: float) -> Any:
        """The bridge's answer. Raises Refused, in its words or for want of one."""
        if self._greeted is None:
            raise Refused("the bridge to the other nodes is being started")
        try:
            return await self._greeted.link.ask(question, answer, limit)
        except (LinkClosed, TimeoutError):
            raise Refused(f"the bridge to the other nodes did not answer within {limit:g} s") from None

    def branch(self) -> ProcessBranch | None:
        """The process, as it stands; None while there is none."""
        supervisor = self._supervisor
        child = None if supervisor is None else supervisor.children.get(BRIDGE)
        if supervisor is None or child is None:
            return None
        state = "running" if child.ready.is_set() else "starting"
        return ProcessBranch(BRIDGE, child.pid, supervisor.restarts_of[BRIDGE], answered=True, state=state)

    async def _keep(self) -> None:
        while True:
            self._supervisor = Supervisor(
                "roost.broker.bridge.process",
                self._told,
                self._asked,
                self._exited,
                stall_limit=self._settings.stall_limit,
            )
            self._supervisor.keep(BRIDGE, self._prepare)
            reason = await asyncio.shield(self._supervisor.gave_up)
            if not self._was_ready:
                self.gave_up.set_result(reason)
                return
            _log.error("the node goes on without its cluster for %g s: %s", GIVE_UP_PAUSE, reason)
            await self._supervisor.stop(0)
            await asyncio.sleep(GIVE_UP_PAUSE)

    async def _prepare(self) -> StartBridge:
        settings = self._settings
        return StartBridge(
            self._run_dir.take_worker_number(),
            str(self._run_dir.path),
            settings.node,
            engine_options(settings),
            settings.cluster_buffer_bytes,
            logs=settings.logs,
            again=self._again,
        )

    def _told(self, child: Child, message: Message) -> None:
        match message:
            case Publishing():
                self._greet(child)
                self._publishes(message)
            case Ready():
                self._was_ready = self._again = True
            case Listening():
                self.listening = message
                self._announce(message)
            case _ if isinstance(message, ClusterNews):
                self._announce(message)

    def _greet(self, child: Child) -> None:
        """It hears; what workers want was told to an earlier one."""
        if self._greeted is child:
            return
        self._greeted = child
        for interest in self._interests.values():
            child.link.tell(interest)

    async def _asked(self, _: Child, message: Message) -> Any:
        if isinstance(message, AskedHere):
            return await self._asked_here(message)
        raise Refused(f"the broker answers no {type(message).__name__} to its bridge")

    def _exited(self, child: Child) -> None:
        assert isinstance(child.start, StartBridge)
        if self._greeted is child:
            self._greeted = None
            self._nobody_listens()
        self._exited_here(WorkerExited(child.start.worker))

    def _nobody_listens(self) -> None:
        """Who joins from now on waits for the next one."""
        if self.listening is not None:
            self.listening = replace(self.listening, versions={})
            self._announce(self.listening)
