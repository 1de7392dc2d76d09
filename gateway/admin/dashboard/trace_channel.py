"""The channel that shows what the node does as it happens: a trace that belongs to one dashboard, and ends with it."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Final

import msgspec

from roost.gateway.admin.dashboard.socket import DashboardSocket
from roost.gateway.channel import Channel
from roost.gateway.events import event
from roost.gateway.replies import Error, Ok
from roost.shared.link import Refused
from roost.shared.trace import TraceFilter
from roost.shared.trace_assembly import as_plain
from roost.shared.trace_session import News, TraceSession

MAX_MATCHES: Final = 1000
"""Matches of one trace: it shows as many."""
SECONDS: Final = 300.0
"""So long a trace lasts at most."""


class Wanted(msgspec.Struct, frozen=True):
    """What is to be shown; what is empty is not asked for."""

    topic: str = ""
    """A topic, or a prefix and a `*`."""
    event: str = ""
    socket: str = ""
    limit: int = 100


class TraceChannel(Channel[DashboardSocket]):
    """Pushes `traced` again and again, `over` at the end of a trace."""

    def __init__(self) -> None:
        self._tracing: asyncio.Task[None] | None = None

    @event("start")
    async def start(self, payload: Wanted) -> Ok | Error:
        """Begin a trace, in place of the one that may be on."""
        try:
            wanted = TraceFilter(payload.topic or None, payload.event or None, payload.socket or None)
        except ValueError as error:
            return Error({"reason": str(error)})
        await self._stop()
        limit = min(MAX_MATCHES, max(1, payload.limit))
        async with AsyncExitStack() as held:
            try:
                session = TraceSession(self.socket.desk.node.ask_broker, wanted, limit, SECONDS)
                trace = await held.enter_async_context(session)
            except Refused as refused:
                return Error({"reason": str(refused)})
            self._tracing = asyncio.create_task(self._follow(trace, held.pop_all()))
        return Ok({"limit": limit, "seconds": SECONDS})

    @event("stop")
    async def stop(self, payload: Any) -> Ok:
        """End the trace."""
        del payload
        await self._stop()
        return Ok()

    async def terminate(self, reason: str | BaseException) -> None:
        """The dashboard is gone."""
        del reason
        await self._stop()

    async def _stop(self) -> None:
        tracing, self._tracing = self._tracing, None
        if tracing is not None:
            tracing.cancel()
            await asyncio.wait([tracing])

    async def _follow(self, trace: TraceSession, held: AsyncExitStack) -> None:
        """Tell what is seen until the trace is over; `held` ends it."""
        why = ""
        try:
            async with held:
                async for news in trace:
                    why = news.over
                    if news.rows or news.silent or news.lost:
                        await self.push("traced", _told(news, trace.wall))
        except Refused as refused:
            why = str(refused)
        await self.push("over", {"reason": why})


def _told(news: News, wall: int) -> dict[str, Any]:
    rows = [{"time": (wall + row.at) / 1e9, **as_plain(row)} for row in news.rows]
    return {"rows": rows, "silent": news.silent, "lost": news.lost}
