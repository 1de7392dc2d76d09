"""Questions to channels: any code of the node asks one channel, by its address, and waits for the answer."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from roost.gateway.letters import encode_plain

if TYPE_CHECKING:
    from roost.gateway.runtime import Runtime

CALL_LIMIT: Final = 5.0
"""Seconds in which a channel answers, unless the caller says otherwise (Phoenix's GenServer.call)."""


class ChannelAddress(NamedTuple):
    """Names a channel for ever. Plain data: it can be broadcast, stored, and given to other workers."""

    worker: int
    subscriber: int


class CallFailed(Exception):
    """There is no answer: the channel has ended, or it crashed; the text says which."""


class Question(NamedTuple):
    """A question that a channel is to answer."""

    question: Any
    answer: Callable[[Any], None]
    fail: Callable[[str], None]

    def finish(self, value: Any, error: BaseException | None) -> BaseException | None:
        """Tell who asked what came of it; answers the error that ends the channel."""
        if error is None:
            try:
                encode_plain(value)
            except TypeError as failure:
                error = failure
        if error is None:
            self.answer(value)
        else:
            self.fail("the channel crashed")
        return error


class Answers(Protocol):
    """Whatever runs a channel."""

    def asked(self, question: Question) -> None:
        """Have the channel answer, when its turn comes."""


class Calls:
    """The questions that code of this worker asks, and those that its channels are asked."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        """Take questions and answers from other workers."""
        self.on("call", self._called)
        self._runtime.inbox.on("answer", self._answered)

    def on(self, kind: str, handler: Callable[[Question], None]) -> None:
        """Have questions of a kind answered, which code of any worker asks this one; a handler does not wait."""

        def asked(message: list[Any]) -> None:
            worker, number, question = message
            handler(
                Question(
                    question,
                    lambda value: self._send(worker, [number, value, None]),
                    lambda reason: self._send(worker, [number, None, reason]),
                )
            )

        self._runtime.inbox.on(kind, asked)

    async def call(self, address: ChannelAddress, question: Any, limit: float) -> Any:
        """The channel's answer. Raises CallFailed, or TimeoutError after `limit` seconds."""
        worker, subscriber = address
        return await self.ask(worker, "call", [subscriber, question], limit)

    async def ask(self, worker: int, kind: str, question: Any, limit: float) -> Any:
        """A worker's answer to a question of that kind. Raises CallFailed, or TimeoutError after `limit` seconds."""
        number = next(self._numbers)
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit):
                await self._runtime.inbox.send(worker, kind, [self._runtime.worker, number, question])
                return await future
        finally:
            del self._waiting[number]

    def _called(self, asked: Question) -> None:
        (subscriber, question), answer, fail = asked
        process = self._runtime.uplink.subscriber(subscriber)
        if process is None or not hasattr(process, "asked"):
            fail("there is no such channel")
        else:
            process.asked(Question(question, answer, fail))

    def _answered(self, message: list[Any]) -> None:
        number, value, failure = message
        future = self._waiting.get(number)
        if future is None or future.done():
            return
        if failure is None:
            future.set_result(value)
        else:
            future.set_exception(CallFailed(failure))

    def _send(self, worker: int, answer: list[Any]) -> None:
        task = asyncio.ensure_future(self._runtime.inbox.send(worker, "answer", answer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
