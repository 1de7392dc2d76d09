"""Looks at the node once a second for all dashboards together, and only while there are any."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.admin.dashboard.comparison import Look, overview
from roost.shared.control import AskResharding
from roost.shared.hottest import AskHottestTopics, HottestTopics
from roost.shared.inspection import AskSlowestClients
from roost.shared.link import Refused
from roost.shared.resharding import ReshardingPhase, ReshardingStatus

if TYPE_CHECKING:
    from roost.gateway.admin.dashboard.overview import Point
    from roost.gateway.admin.own_node import OwnNode
    from roost.gateway.endpoint import Endpoint

TOPIC: Final = "node"
"""On which is broadcast what was seen."""
PERIOD: Final = 1.0
"""Seconds between two looks."""
HOTTEST_PERIOD: Final = 2.0
"""Seconds between two looks at the hottest topics."""
WALK_PERIOD: Final = 5.0
"""Seconds between two looks for which workers walk through all their sockets: the tree, and the slowest clients."""
MAX_ROWS: Final = 8
"""Topics and clients of these looks."""
RESHARDING_PERIOD: Final = 0.2
"""Seconds between two looks at a change of the number of shards."""
MAX_POINTS: Final = 300
"""Looks that are kept for the charts of whoever comes later."""

_log = logging.getLogger("roost.gateway")


class Watch:
    """Broadcasts what is to be seen of the node to all who watch."""

    def __init__(self, node: "OwnNode", endpoint: "Endpoint") -> None:
        self._node = node
        self._endpoint = endpoint
        self._watchers = 0
        self._before: Look | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        """A change of the number of shards."""
        self.points: deque[Point] = deque(maxlen=MAX_POINTS)
        self.last: dict[str, Any] = {}
        """What was broadcast last, by event, for whoever comes next."""

    def enter(self) -> None:
        """One more watches."""
        self._watchers += 1
        if not self._tasks:
            self._start(self._look_again_and_again())
            self._start(self._tell("tree", WALK_PERIOD, self._node.tree))
            self._start(self._tell("hottest", HOTTEST_PERIOD, self._hottest))
            self._start(self._tell("slowest", WALK_PERIOD, lambda: self._node.ask(AskSlowestClients(MAX_ROWS))))

    def leave(self) -> None:
        """One less; nobody is asked anything when there are none."""
        self._watchers -= 1
        if not self._watchers:
            self._end()

    def follow_resharding(self) -> None:
        """The number of shards is being changed: tell how it goes, more often than once a second."""
        if self._following is None or self._following.done():
            self._following = self._start(self._tell_resharding())

    def _start(self, watching: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(watching)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the dashboard shows nothing new until it is opened again", exc_info=error)
            self._end()

    def _end(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._following = self._before = None
        self.last.clear()

    async def _look_again_and_again(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            look = Look(time.monotonic(), await self._node.measure())
            seen = overview(self._before, look, time.time(), self._node.why_not_ready())
            self._before = look
            self.points.append(seen.point)
            await self._broadcast("measured", seen)
            await asyncio.sleep(max(0.0, began + PERIOD - loop.time()))

    async def _tell(self, event: str, period: float, look: Callable[[], Awaitable[Any]]) -> None:
        """Look again and again. What is refused is not told: the overview says who is not there."""
        while True:
            with contextlib.suppress(Refused):
                await self._broadcast(event, await look())
            await asyncio.sleep(period)

    async def _broadcast(self, event: str, seen: Any) -> None:
        self.last[event] = seen
        await self._endpoint.broadcast(TOPIC, event, seen)

    async def _hottest(self) -> HottestTopics:
        return await self._node.ask_broker(AskHottestTopics(MAX_ROWS), HottestTopics)

    async def _tell_resharding(self) -> None:
        try:
            while True:
                status = await self._node.ask_broker(AskResharding(), ReshardingStatus)
                await self._endpoint.broadcast(TOPIC, "resharding", status)
                if status.phase in (ReshardingPhase.DONE, ReshardingPhase.ABORTED):
                    await self._broadcast("tree", await self._node.tree())
                    return
                await asyncio.sleep(RESHARDING_PERIOD)
        except Refused:
            return  # the next look says that there is no broker
