"""Supervision of child processes as OTP does it: one-for-one, a restart intensity, shutdown time-outs.

A child that has stopped answering is killed, and then it is one that died. Children are started with exec, never
forked, since ZeroMQ and uvloop do not survive a fork. Each has a link to its supervisor, learns by it what it is to be,
is stopped over it, and dies when it closes.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from roost.shared.control import Failed, Message, Ready, Stop
from roost.shared.failures import CannotStart
from roost.shared.link import Link, LinkClosed
from roost.shared.liveness import START_LIMIT, silence

MAX_RESTARTS: Final = 20
RESTART_WINDOW: Final = 10.0
"""Seconds. More than MAX_RESTARTS restarts within them, and the supervisor gives up."""

LAST_WORDS_LIMIT: Final = 1.0
"""Seconds in which what a dead child had still said is read from its link."""

T = TypeVar("T")
_log = logging.getLogger("roost.supervisor")


class RestartIntensity:
    """So many restarts in so many seconds are an accident, more are a defect."""

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._restarts: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Count one restart; False if it is one too many."""
        restarts = self._restarts
        restarts.append(now)
        while restarts[0] <= now - self._window:
            restarts.popleft()
        return len(restarts) <= self._limit


@dataclass(eq=False)
class Child:
    """One living child."""

    name: str
    start: Message
    """What it was told to be."""
    process: asyncio.subprocess.Process
    link: Link
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stalled: float | None = None
    """It was silent for so many seconds and was killed for it."""

    @property
    def pid(self) -> int:
        """Its process number."""
        return self.process.pid


class Supervisor:
    """Keeps children alive until it is told to stop them."""

    def __init__(
        self,
        module: str,
        told: Callable[[Child, Message], None],
        asked: Callable[[Child, Message], Awaitable[Any]],
        exited: Callable[[Child], None],
        *,
        stall_limit: float,
    ) -> None:
        """A child that is silent for `stall_limit` seconds is killed."""
        self._module = module
        self._stall_limit = stall_limit
        self._told = told
        self._asked = asked
        self._exited = exited
        self._intensity = RestartIntensity(MAX_RESTARTS, RESTART_WINDOW)
        self._spawning = asyncio.Lock()
        """One is started at a time, for that blocks the loop: who starts 64 answers in between."""
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._trials: dict[str, asyncio.Future[None]] = {}
        self.children: dict[str, Child] = {}
        self.restarts = 0
        self.restarts_of: Counter[str] = Counter()
        """By the children's names."""
        self.gave_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set to one sentence when the children cannot be kept alive."""

    def keep(self, name: str, prepare: Callable[[], Awaitable[Message]]) -> None:
        """Keep a child of this name alive. Before each start `prepare` says what it is to be."""
        self._keepers[name] = asyncio.ensure_future(self._keep(name, prepare))

    def keeps(self, name: str) -> bool:
        """Whether a child of this name is kept alive."""
        return name in self._keepers

    async def add(self, name: str, prepare: Callable[[], Awaitable[Message]]) -> None:
        """Keep one more child alive, if it starts; returns when it is ready.

        Raises CannotStart: then it is not kept, and the others are not touched.
        """
        trial = self._trials[name] = asyncio.get_running_loop().create_future()
        self.keep(name, prepare)
        try:
            async with asyncio.timeout(START_LIMIT):
                await trial
        except TimeoutError:
            await self.stop(0, name)
            raise CannotStart(f"{name} was not ready within {START_LIMIT:g} s") from None
        except CannotStart:
            await self.stop(0, name)
            raise
        finally:
            del self._trials[name]

    async def stop(self, limit: float, *names: str, how: Stop | None = None) -> list[str]:
        """Stop these children, or all, for good; kill those that still live after `limit` seconds.

        Answers whom it had to kill.
        """
        keepers = [self._keepers.pop(name) for name in names or list(self._keepers)]
        stopping = [child for name, child in self.children.items() if not names or name in names]
        for child in stopping:
            child.link.tell(how or Stop())
        ended = await asyncio.gather(*(_end(child, limit) for child in stopping))
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        return [child.name for child, by_itself in zip(stopping, ended, strict=True) if not by_itself]

    def tell_all(self, message: Message) -> None:
        """Tell every child."""
        for child in self.children.values():
            child.link.tell(message)

    async def ask_all(self, question: Message, answer: type[T], limit: float) -> tuple[list[T], list[str]]:
        """The answers of all children, and the names of those that did not answer within `limit` seconds."""
        results = await self.ask_each(question, answer, limit)
        answers = [result for _, result in results if result is not None]
        return answers, [child.name for child, result in results if result is None]

    async def ask_each(self, question: Message, answer: type[T], limit: float) -> list[tuple[Child, T | None]]:
        """Each child with its answer, None if it did not answer within `limit` seconds."""
        children = list(self.children.values())
        results = await asyncio.gather(
            *(child.link.ask(question, answer, limit) for child in children), return_exceptions=True
        )
        answers: list[tuple[Child, T | None]] = []
        for child, result in zip(children, results, strict=True):
            if isinstance(result, LinkClosed | TimeoutError):
                answers.append((child, None))
            elif isinstance(result, BaseException):
                raise result
            else:
                answers.append((child, result))
        return answers

    async def _keep(self, name: str, prepare: Callable[[], Awaitable[Message]]) -> None:
        while True:
            try:
                start = await prepare()
                child = await self._spawn(name, start)
            except OSError as error:
                self._fail(name, f"{name} cannot be started: {error}")
                return
            await self._attend(child)
            if name not in self._keepers or self.gave_up.done():
                if child.stalled is not None:
                    _log.warning("%s (pid %d) %s", name, child.pid, _how_it_ended(child))
                return
            if name in self._trials and not child.ready.is_set():
                self._fail(name, f"{name} {_how_it_ended(child)} before it was ready")
                return
            if not self._intensity.allows(asyncio.get_running_loop().time()):
                self._give_up(f"{name} was the last of more than {MAX_RESTARTS} restarts in {RESTART_WINDOW:g} s")
                return
            self.restarts += 1
            self.restarts_of[name] += 1
            _log.warning("%s (pid %d) %s; starting it again", name, child.pid, _how_it_ended(child))

    async def _spawn(self, name: str, start: Message) -> Child:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                async with self._spawning:
                    process = await asyncio.create_subprocess_exec(
                        sys.executable,
                        "-m",
                        self._module,
                        name,
                        str(theirs.fileno()),
                        pass_fds=[theirs.fileno()],
                    )
            link = await _linked(process, ours)
        except BaseException:  # as when it is stopped before it is there
            ours.close()
            raise
        child = self.children[name] = Child(name, start, process, link)
        child.link.tell(start)
        return child

    async def _attend(self, child: Child) -> None:
        """Hand on what the child says, until it is dead and all it said was heard."""
        serving = asyncio.ensure_future(
            child.link.serve(
                lambda message: self._hear(child, message),
                lambda question: self._asked(child, question),
            )
        )
        watching = asyncio.ensure_future(self._watch(child))
        try:
            await child.process.wait()
            await asyncio.wait([serving], timeout=LAST_WORDS_LIMIT)
        finally:
            await _kill(child.process)  # if this is cancelled, nobody else knows it
            serving.cancel()
            watching.cancel()
            child.link.close()
            if self.children.get(child.name) is child:
                del self.children[child.name]
            self._exited(child)

    async def _watch(self, child: Child) -> None:
        """Kill a child that has stopped answering: from stuck it becomes dead, and for that there are rules."""
        with contextlib.suppress(LinkClosed, ProcessLookupError):
            child.stalled = await silence(child.link, child.ready, self._stall_limit)
            child.process.kill()

    def _hear(self, child: Child, message: Message) -> None:
        match message:
            case Ready():
                child.ready.set()
                if (trial := self._trials.get(child.name)) is not None and not trial.done():
                    trial.set_result(None)
                self._told(child, message)
            case Failed(reason):
                self._fail(child.name, reason)
            case _:
                self._told(child, message)

    def _fail(self, name: str, reason: str) -> None:
        """A child cannot be started: the end of the attempt to add it, else of everything."""
        trial = self._trials.get(name)
        if trial is None:
            self._give_up(reason)
        elif not trial.done():
            trial.set_exception(CannotStart(reason))

    def _give_up(self, reason: str) -> None:
        if not self.gave_up.done():
            self.gave_up.set_result(reason)


async def _end(child: Child, limit: float) -> bool:
    """Wait until a child has stopped by itself; else kill it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await child.process.wait()
            return child.stalled is None
    if limit:
        _log.warning("%s (pid %d) did not stop within %g s; killing it", child.name, child.pid, limit)
    await _kill(child.process)
    return False


async def _linked(process: asyncio.subprocess.Process, ours: socket.socket) -> Link:
    """The link to a process that was just started; without one it does not live on."""
    try:
        return await Link.over(ours)
    except BaseException:
        await _kill(process)
        raise


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill it, if it lives, and wait until it is dead."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _how_it_ended(child: Child) -> str:
    if child.stalled is not None:
        return f"did not answer for {child.stalled:g} s and was killed"
    code = child.process.returncode
    return f"was killed by signal {-code}" if code is not None and code < 0 else f"exited with status {code}"
