"""A running node as the command line sees it: its control socket, and by way of it the other nodes of its cluster."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from roost.shared.cluster import AskNode
from roost.shared.control import Message, Stop
from roost.shared.envelopes import encode_message
from roost.shared.failures import CannotStart
from roost.shared.link import Link, LinkClosed, Refused
from roost.shared.run_directory import RunDirectory

ANSWER_LIMIT: Final = 5.0
"""Seconds in which the broker answers, with those named that did not answer it."""
STOP_MARGIN: Final = 5.0
"""Seconds beyond its own limit after which a node is said not to stop."""

T = TypeVar("T")


class BrokerSilent(CannotStart):
    """There is a broker, and it did not answer in time."""


class Elsewhere(NamedTuple):
    """Another node of the cluster of the node that runs in a directory."""

    run_dir: str
    node: str


Where = str | Elsewhere
"""Which node is meant: the one that runs in a directory, or by way of it another."""


def ask_node(where: Where, question: Message, answer: type[T]) -> T:
    """Ask the broker. Raises CannotStart if there is none, and BrokerSilent if it does not answer."""
    return asyncio.run(_ask(where, question, answer))


@contextlib.asynccontextmanager
async def connected_node(where: Where) -> AsyncIterator["Node"]:
    """A running node, for several questions. Raises CannotStart if there is none."""
    run_dir, node = (where, None) if isinstance(where, str) else where
    link = await _link(run_dir)
    serving = asyncio.ensure_future(link.serve())
    try:
        yield Node(run_dir, link, node)
    finally:
        link.close()
        await serving


class Node:
    """The broker of a running node."""

    def __init__(self, run_dir: str, link: Link, node: str | None = None) -> None:
        """With a name it is another node of the cluster, which is asked by way of this broker."""
        self._run_dir = run_dir
        self._link = link
        self._node = node

    @property
    def is_here(self) -> bool:
        """Whether its processes are those of this machine."""
        return self._node is None

    async def ask(self, question: Message, answer: type[T]) -> T:
        """The broker's answer. Raises CannotStart, with its sentence if it refuses."""
        try:
            return await self._link.ask(self._carried(question), answer, ANSWER_LIMIT)
        except Refused as refused:
            raise CannotStart(str(refused)) from None
        except LinkClosed:
            raise CannotStart(f"the node in {self._run_dir} stopped before it answered") from None
        except TimeoutError:
            raise BrokerSilent(f"the broker in {self._run_dir} did not answer within {ANSWER_LIMIT:g} s") from None

    def _carried(self, question: Message) -> Message:
        return question if self._node is None else AskNode(self._node, encode_message(question))


def stop_node(run_dir: str, limit: float) -> None:
    """Tell the broker to stop and wait until it has, for which it has so many seconds.

    Raises CannotStart if there is none, or if it does not stop.
    """
    asyncio.run(_stop(run_dir, limit + STOP_MARGIN))


async def _ask(where: Where, question: Message, answer: type[T]) -> T:
    async with connected_node(where) as node:
        return await node.ask(question, answer)


async def _stop(run_dir: str, limit: float) -> None:
    link = await _link(run_dir)
    link.tell(Stop())
    try:
        async with asyncio.timeout(limit):
            await link.serve()
    except TimeoutError:
        raise CannotStart(f"the node in {run_dir} did not stop within {limit:g} s") from None


async def _link(run_dir: str) -> Link:
    try:
        return await Link.to(RunDirectory(Path(run_dir)).control_socket)
    except OSError:
        raise CannotStart(
            f"no node runs in {run_dir} (start one with `honcho start`, or name it by --run-dir)"
        ) from None
