"""Questions to channels: any code of the cluster asks one channel, by its address, and waits for the answer."""

import asyncio
import contextlib
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from roost.gateway.bus.nodes import UnknownNode
from roost.gateway.letters import encode_plain

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime

CALL_LIMIT: Final = 5.0
"""Seconds in which a channel answers, unless the caller says otherwise (Phoenix's GenServer.call)."""


class ChannelAddress(NamedTuple):
    """Names a channel for ever. Plain data: it can be broadcast, stored, and given to other workers."""

    worker: int
    subscriber: int
    node: str = ""
    """That of the worker; empty for the node where the address is used."""


class CallFailed(Exception):
    """There is no answer: the channel has ended, it crashed, or its node is not there; the text says which."""


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


class Calls:
    """The questions that code of this worker asks, and those that its channels are asked."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._numbers = count(1)
        self._waiting: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        """Questions under way, with the node that is asked."""
        self._answering: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        """Take questions and answers from other workers."""
        self.on("call", self._called)
        self._runtime.inbox.on("answer", self._answered)

    def on(self, kind: str, handler: Callable[[Question], None]) -> None:
        """Have questions of a kind answered, which code of any worker asks this one; a handler does not wait."""

        def asked(message: list[Any]) -> None:
            worker, number, question, node = message
            handler(
                Question(
                    question,
                    lambda value: self._send(worker, [number, value, None], node),
                    lambda reason: self._send(worker, [number, None, reason], node),
                )
            )

        self._runtime.inbox.on(kind, asked)

    async def call(self, address: ChannelAddress, question: Any, limit: float) -> Any:
        """The channel's answer. Raises CallFailed, or TimeoutError after `limit` seconds."""
        worker, subscriber, node = ChannelAddress(*address)
        return await self.ask(worker, "call", [subscriber, question], limit, node)

    async def ask(self, worker: int, kind: str, question: Any, limit: float, node: str = "") -> Any:
        """A worker's answer to a question of that kind. Raises CallFailed, or TimeoutError after `limit` seconds."""
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = node, future
        nodes = self._runtime.nodes
        try:
            asker = "" if nodes.is_own(node) else nodes.own
            async with asyncio.timeout(limit):
                await self._runtime.inbox.send(worker, kind, [self._runtime.worker, number, question, asker], node)
                return await future
        except UnknownNode as error:
            raise CallFailed(str(error)) from None
        finally:
            del self._waiting[number]

    def node_down(self, node: str) -> None:
        """What that node is asked will not be answered."""
        for asked, future in self._waiting.values():
            if asked == node and not future.done():
                future.set_exception(CallFailed(f"node {node!r} has gone"))

    def _called(self, asked: Question) -> None:
        (subscriber, question), answer, fail = asked
        process = self._runtime.uplink.subscriber(subscriber)
        if process is None or not hasattr(process, "asked"):
            fail("there is no such channel")
        else:
            process.asked(Question(question, answer, fail))

    def _answered(self, message: list[Any]) -> None:
        number, value, failure = message
        _, future = self._waiting.get(number, ("", None))
        if future is None or future.done():
            return
        if failure is None:
            future.set_result(value)
        else:
            future.set_exception(CallFailed(failure))

    def _send(self, worker: int, answer: list[Any], node: str) -> None:
        task = asyncio.ensure_future(self._answer(worker, answer, node))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, worker: int, answer: list[Any], node: str) -> None:
        with contextlib.suppress(UnknownNode):  # who asked has gone with its node
            await self._runtime.inbox.send(worker, "answer", answer, node)
