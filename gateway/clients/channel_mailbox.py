"""How a channel does one thing at a time: what comes meanwhile waits, and a channel that is idle costs nothing."""

import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.clients.calls import Question
from roost.gateway.clients.channel_extras import ChannelExtras
from roost.gateway.clients.channel_sending import ChannelSending, State
from roost.gateway.clients.protocol import JOIN_CRASHED
from roost.shared.serializer import Message

if TYPE_CHECKING:
    import asyncio

SHUTDOWN_LIMIT: Final = 5.0
"""Seconds that a method under way has when its client is gone, `terminate` too; then it is cancelled (Phoenix's
`shutdown`)."""
MAX_MAILBOX: Final = 10_000
"""Things that wait for a channel; with one more it ends as if it had crashed."""
MAX_WORK_A_TURN: Final = 64
"""Waiting things that a channel handles in one turn of the loop; the others' channels come first then."""

_log = logging.getLogger("roost.channel")


class ChannelMailbox(ChannelSending):
    """The part of a channel's process that decides what is done when."""

    __slots__ = ("_busy", "_emptying", "_mailbox", "_task")

    _busy: bool
    _emptying: bool
    _mailbox: deque[tuple[Callable[[Any], None], Any]] | None
    _task: "asyncio.Task[None] | None"

    def rest(self) -> None:
        """Much is about to come at once: it is to wait, and to be handled from the next turn on."""
        if self._state is State.JOINED and not self._busy:
            self._busy = True
            self.client.runtime.call_later(0, self._work_on)

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call this when the channel ends."""
        if self._state in (State.ENDING, State.ENDED):
            raise RuntimeError(f"{self.name()} has ended")
        self.extras().at_end.append(callback)

    def _deliver(self, work: Callable[[Any], None], argument: Any) -> None:
        if self._state in (State.ENDING, State.ENDED):
            return
        if not self._busy:
            work(argument)
            return
        if self._mailbox is None:
            self._mailbox = deque()
        self._mailbox.append((work, argument))
        if len(self._mailbox) > MAX_MAILBOX:
            self._overflow()

    def _idle(self) -> None:
        """What was under way is finished: begin with what waited."""
        self._busy = False
        if self._mailbox is None or self._emptying:
            return  # what finished was begun below
        self._emptying = True
        left = MAX_WORK_A_TURN
        while self._mailbox and not self._busy and left:
            left -= 1
            work, argument = self._mailbox.popleft()
            work(argument)
        self._emptying = False
        if not self._mailbox:
            self._mailbox = None
        elif not self._busy:
            self.rest()

    def _work_on(self) -> None:
        if self._state is State.JOINED:
            self._idle()

    def _run(self, coroutine: Coroutine[Any, Any, Any], then: Callable[[Any, BaseException | None], None]) -> None:
        self._busy = True
        task = self.client.runtime.runner.run(coroutine, self, then)
        if task is not None:
            self._task = task

    def _let_go(self) -> None:
        """Drop what waits, and the timers."""
        for _, argument in self._mailbox or ():
            if isinstance(argument, Message):
                self.client.take(argument)
            elif isinstance(argument, Question):
                argument.fail("the channel has ended")
        self._mailbox = None
        if self._extras is not None:
            self._extras.end()
            self._extras = None

    def _overflow(self) -> None:
        """More waits than may: what is under way is cancelled, which ends the channel as a crash does."""
        _log.error("%s ends: more than %d messages wait for it", self.name(), MAX_MAILBOX)
        self._let_go()
        if self._task is not None:
            self._cancel()
        elif self._state is State.JOINING:
            self._refuse(JOIN_CRASHED)
        else:  # between two turns in which it works off what waits
            self._end("overflow", graceful=False)

    def _finish_in_time(self) -> None:
        """What is under way ends the channel, or is the last before; with the client gone, its time is limited."""
        self.client.runtime.ending.add(self)
        if self.client.closed_by is not None:
            self.client.runtime.call_later(SHUTDOWN_LIMIT, self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self.client.runtime.runner.cancel(self._task)

    def extras(self) -> ChannelExtras:
        """The channel's timers and further subscriptions."""
        if self._extras is None:
            self._extras = ChannelExtras(self.client.runtime, self.client.hash, self)
        return self._extras

    def info(self, message: Any) -> None:
        """A message for `handle_info`."""
        raise NotImplementedError

    def _refuse(self, payload: Any) -> None:
        raise NotImplementedError

    def _end(self, reason: str | BaseException, *, graceful: bool) -> None:
        raise NotImplementedError
