"""`roost trace`: follows a node and shows what it does as it happens, until enough was seen."""

import asyncio
import contextlib
import signal

from roost.commands.node import Where, connected_node
from roost.commands.show_trace import TraceInJson, TraceInWords
from roost.shared.trace import TraceFilter
from roost.shared.trace_session import TraceSession


def trace_node(where: Where, wanted: TraceFilter, limit: int, seconds: float, *, json: bool) -> None:
    """Follow a node until so many matches were seen, its time is up, or Ctrl-C. Raises CannotStart."""
    asyncio.run(_trace(where, TraceInJson() if json else TraceInWords(), wanted, limit, seconds))


async def _trace(
    where: Where, shown: TraceInJson | TraceInWords, wanted: TraceFilter, limit: int, seconds: float
) -> None:
    following = asyncio.current_task()
    assert following is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, following.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with connected_node(where) as node, TraceSession(node.ask, wanted, limit, seconds) as trace:
            shown.begin(trace, limit, seconds)
            async for news in trace:
                shown.add(news)
