"""Runs a coroutine at once, and makes a task of it only if it suspends.

Most handlers never wait for anything, and a task for each would cost more than the handler. So the first step is taken
by hand, in the name of a parked task, so that `asyncio.timeout` and `asyncio.current_task` work in it; when the
coroutine suspends, that task takes it over and another is parked. Each coroutine has a context of its own, as with
`create_task`.
"""

import asyncio
import contextvars
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from types import coroutine as generator_coroutine
from typing import Any, Final

Then = Callable[[Any, BaseException | None], None]
"""Called with what the coroutine returned, or with what it raised."""

_EMPTY: Final = contextvars.Context()
_BEGIN: Final = object()
"""Stands for what a coroutine waits for before its first step."""


class Runner:
    """Runs coroutines in one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parked = _Parked(loop)
        self.owner: Any = None
        """On whose behalf a coroutine is being stepped right now; None between steps."""

    def run(self, coroutine: Coroutine[Any, Any, Any], owner: Any, then: Then) -> "asyncio.Task[None] | None":
        """Run the coroutine up to its first suspension; answers the task that runs the rest, if there is a rest.

        `then` is called when it has finished, possibly before this returns. Not to be called from within a task.
        """
        parked = self._parked
        context = _EMPTY.copy()
        if not parked.started:
            # Its predecessor was taken in this very turn. A task that is cancelled before it starts never runs, so
            # this one must not be relied on yet.
            return self._loop.create_task(_finish(self._rest(coroutine, owner, context, _BEGIN), then))
        value: Any = None
        error: BaseException | None = None
        self.owner = owner
        _enter_task(self._loop, parked.task)
        try:
            awaited = context.run(coroutine.send, None)
        except StopIteration as finished:
            value = finished.value
        except (Exception, asyncio.CancelledError) as failure:  # noqa: BLE001 - `then` is the boundary
            error = failure
        else:
            parked.take(self._rest(coroutine, owner, context, awaited), then)
            self._parked = _Parked(self._loop)
            return parked.task
        finally:
            _leave_task(self._loop, parked.task)
            self.owner = None
        if parked.handoff.done():  # the coroutine cancelled the task in whose name it ran
            self._parked = _Parked(self._loop)
        then(value, error)
        return None

    def cancel(self, task: "asyncio.Task[None]") -> None:
        """Cancel what `run` answered: not before it has started, for then it would never run and never finish."""
        self._loop.call_soon(task.cancel)

    def close(self) -> None:
        """Let go of the parked task."""
        self._parked.task.cancel()

    @generator_coroutine
    def _rest(
        self, coroutine: Coroutine[Any, Any, Any], owner: Any, context: contextvars.Context, awaited: Any
    ) -> Generator[Any, Any, Any]:
        """The coroutine from where it stands, in its own context, each step on its owner's behalf."""
        step: Callable[..., Any] = coroutine.send
        argument: Any = None
        while True:
            if awaited is not _BEGIN:
                try:
                    argument = yield awaited
                    step = coroutine.send
                except BaseException as thrown:  # noqa: BLE001 - it is meant for the coroutine
                    argument = thrown
                    step = coroutine.throw
            self.owner = owner
            try:
                awaited = context.run(step, argument)
            except StopIteration as finished:
                return finished.value
            finally:
                self.owner = None


class _Parked:
    """A task that waits for a coroutine to take over."""

    __slots__ = ("_rest", "_then", "handoff", "started", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.handoff: asyncio.Future[None] = loop.create_future()
        self.started = False
        self._rest: Any = None
        self._then: Then | None = None
        self.task = loop.create_task(self._wait())

    def take(self, rest: Any, then: Then) -> None:
        """Run this rest of a coroutine from the next turn on."""
        self._rest = rest
        self._then = then
        if not self.handoff.done():
            self.handoff.set_result(None)

    async def _wait(self) -> None:
        self.started = True
        try:
            await self.handoff
        except asyncio.CancelledError as cancelled:
            if self._rest is None:
                return
            # It came before the take-over, and is meant for the coroutine.
            await _finish(_interrupted(self._rest, cancelled), self._then)
            return
        await _finish(self._rest, self._then)


async def _finish(rest: Any, then: Any) -> None:
    """Run the rest. `then` is called when this task has ended, for it may run the next coroutine."""
    value: Any = None
    error: BaseException | None = None
    try:
        value = await rest
    except (Exception, asyncio.CancelledError) as failure:  # noqa: BLE001 - `then` is the boundary
        error = failure
    asyncio.get_running_loop().call_soon(then, value, error)


@generator_coroutine
def _interrupted(rest: Generator[Any, Any, Any], error: BaseException) -> Generator[Any, Any, Any]:
    """The rest, cancelled as a task is: by way of what it waits for, if that can be cancelled."""
    try:
        awaited = rest.send(None)
        if awaited is None or not awaited.cancel():
            awaited = rest.throw(error)
        while True:
            step: Callable[..., Any] = rest.send
            try:
                argument = yield awaited
            except BaseException as thrown:  # noqa: BLE001 - it is meant for the coroutine
                step, argument = rest.throw, thrown
            awaited = step(argument)
    except StopIteration as finished:
        return finished.value
