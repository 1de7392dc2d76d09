"""A running node as the command line sees it: its control socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from roost.shared.control import Message, Stop
from roost.shared.failures import CannotStart
from roost.shared.link import Link, LinkClosed, Refused
from roost.shared.run_directory import RunDirectory

ANSWER_LIMIT: Final = 5.0
"""Seconds in which the broker answers, with those named that did not answer it."""
STOP_MARGIN: Final = 5.0
"""Seconds beyond its own limit after which a node is said not to stop."""

T = TypeVar("T")


def ask_node(run_dir: str, question: Message, answer: type[T]) -> T:
    """Ask the broker. Raises CannotStart if there is none, or if it does not answer."""
    return asyncio.run(_ask(run_dir, question, answer))


@contextlib.asynccontextmanager
async def connected_node(run_dir: str) -> AsyncIterator["Node"]:
    """A running node, for several questions. Raises CannotStart if there is none."""
    link = await _link(run_dir)
    serving = asyncio.ensure_future(link.serve(_ignore, _refuse))
    try:
        yield Node(run_dir, link)
    finally:
        link.close()
        await serving


class Node:
    """The broker of a running node."""

    def __init__(self, run_dir: str, link: Link) -> None:
        self._run_dir = run_dir
        self._link = link

    async def ask(self, question: Message, answer: type[T]) -> T:
        """The broker's answer. Raises CannotStart, with its sentence if it refuses."""
        try:
            return await self._link.ask(question, answer, ANSWER_LIMIT)
        except Refused as refused:
            raise CannotStart(str(refused)) from None
        except LinkClosed:
            raise CannotStart(f"the node in {self._run_dir} stopped before it answered") from None
        except TimeoutError:
            raise CannotStart(f"the broker in {self._run_dir} did not answer within {ANSWER_LIMIT:g} s") from None


def stop_node(run_dir: str, limit: float) -> None:
    """Tell the broker to stop and wait until it has, for which it has so many seconds.

    Raises CannotStart if there is none, or if it does not stop.
    """
    asyncio.run(_stop(run_dir, limit + STOP_MARGIN))


async def _ask(run_dir: str, question: Message, answer: type[T]) -> T:
    async with connected_node(run_dir) as node:
        return await node.ask(question, answer)


async def _stop(run_dir: str, limit: float) -> None:
    link = await _link(run_dir)
    link.tell(Stop())
    try:
        async with asyncio.timeout(limit):
            await link.serve(_ignore, _refuse)
    except TimeoutError:
        raise CannotStart(f"the node in {run_dir} did not stop within {limit:g} s") from None


async def _link(run_dir: str) -> Link:
    try:
        return await Link.to(RunDirectory(Path(run_dir)).control_socket)
    except OSError:
        raise CannotStart(
            f"no node runs in {run_dir} (start one with `honcho start`, or name it by --run-dir)"
        ) from None


def _ignore(_: Message) -> None:
    """A broker tells only gateways."""


async def _refuse(_: Message) -> NoReturn:
    raise Refused("a command answers no questions")
