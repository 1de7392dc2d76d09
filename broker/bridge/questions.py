"""Questions from node to node: those of our commands, and those that other nodes ask this one."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import msgspec

from roost.broker.bridge.bridge import Bridge
from roost.broker.bridge.wire import Answer, Question
from roost.shared.cluster import NODE_ANSWER_LIMIT, AskedHere, AskNode
from roost.shared.link import Link, LinkClosed, Refused

MAX_ANSWERING: Final = 256
"""Questions of other nodes that are answered at a time; further ones are refused."""


class Questions:
    """What was asked and is not answered yet."""

    def __init__(self, bridge: Bridge, broker: Link, wake: Callable[[], None]) -> None:
        """`wake` is called when there is something to be sent."""
        self._wake = wake
        self._bridge = bridge
        self._broker = broker
        self._numbers = count(1)
        self._asked: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        """By number: which node is asked."""
        self._answering: set[asyncio.Task[None]] = set()

    async def ask(self, question: AskNode) -> Any:
        """What another node answers. Raises Refused."""
        number = next(self._numbers)
        if not self._bridge.ask(question.node, number, question.question):
            there = ", ".join(self._bridge.members.up()) or "none"
            raise Refused(f"node {question.node} cannot be reached; those that are there: {there}")
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = question.node, answered
        self._wake()
        try:
            async with asyncio.timeout(NODE_ANSWER_LIMIT):
                return await answered
        except TimeoutError:
            raise Refused(f"node {question.node} did not answer within {NODE_ANSWER_LIMIT:g} s") from None
        finally:
            del self._asked[number]

    def carry_out(self) -> None:
        """Take what came: answers to those who wait, questions to the broker."""
        answers, self._bridge.answers = self._bridge.answers, []
        for answer in answers:
            self._take(answer)
        questions, self._bridge.questions = self._bridge.questions, []
        for question in questions:
            if len(self._answering) >= MAX_ANSWERING:
                self._bridge.answer(question.origin.node, question.number, b"", "it is asked too much at a time")
                continue
            task = asyncio.ensure_future(self._answer(question))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    def _take(self, answer: Answer) -> None:
        node, waiting = self._asked.get(answer.number, ("", None))
        if waiting is None or waiting.done() or node != answer.origin.node:
            return
        if answer.refused:
            waiting.set_exception(Refused(answer.refused))
            return
        try:
            waiting.set_result(msgspec.msgpack.decode(answer.answer))
        except (ValueError, RecursionError):
            waiting.set_exception(Refused(f"what node {node} answers cannot be read"))

    async def _answer(self, question: Question) -> None:
        node = question.origin.node
        try:
            answer = await self._broker.ask(AskedHere(node, question.question), Any, NODE_ANSWER_LIMIT)
            self._bridge.answer(node, question.number, msgspec.msgpack.encode(answer))
        except Refused as refused:
            self._bridge.answer(node, question.number, b"", str(refused))
        except (LinkClosed, TimeoutError):
            self._bridge.answer(node, question.number, b"", "its broker did not answer")
        self._wake()
