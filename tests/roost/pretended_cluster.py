"""A control socket that answers as the broker of one of several nodes would, for itself and for the others."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from roost.shared.cluster import AskCluster, AskNode, ClusterStatus
from roost.shared.control import Message
from roost.shared.envelopes import decode_message
from roost.shared.link import Link, Refused
from roost.shared.run_directory import RunDirectory
from tests.limits import LIMIT


class PretendedCluster:
    """`answer` is given the name of a node and a question; nodes that are `frozen` do not answer."""

    def __init__(
        self, run_dir: Path, status: ClusterStatus | None, answer: Callable[[str, Message], Any], frozen: set[str]
    ) -> None:
        self._socket = RunDirectory.open(str(run_dir)).control_socket
        self._status = status
        self._answer = answer
        self._frozen = frozen
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._running = AsyncExitStack()
        self.asked: list[tuple[str, Message]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(LIMIT)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._running.aclose(), self._loop).result(LIMIT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT)
        self._loop.close()

    async def _start(self) -> None:
        server = await asyncio.start_unix_server(self._serve, self._socket)
        self._running.callback(server.close)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Link(reader, writer).serve(lambda _: None, self._asked)

    async def _asked(self, message: Message) -> Any:
        own = "alone" if self._status is None else self._status.node
        match message:
            case AskCluster():
                if self._status is None:
                    raise Refused("this node is alone: it has no ROOST_CLUSTER")
                return self._status
            case AskNode(node, question) if node not in self._frozen:
                return self._answered(node, decode_message(question))
            case AskNode(node, _):
                raise Refused(f"node {node} did not answer within 3 s")
        return self._answered(own, message)

    def _answered(self, node: str, question: Message) -> Any:
        self.asked.append((node, question))
        return self._answer(node, question)
