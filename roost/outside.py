"""PubSub for other processes of the node's machine: task queues, cron jobs, views of a web framework, notebooks."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, TypeVar

import msgspec

from roost.commands.machine import this_machine
from roost.shared.acting import Broadcasted, BroadcastEvents, Disconnected, DisconnectSockets, OutsideEvent
from roost.shared.bus import Form
from roost.shared.config import read_settings
from roost.shared.inspection import GatewayQuestion
from roost.shared.link import Link, LinkClosed, Refused
from roost.shared.run_directory import RunDirectory
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import application_topic

ANSWER_LIMIT: Final = 3.0
"""Seconds in which the node says that it has taken something."""

T = TypeVar("T")


class NotPublished(Exception):
    """It was not published, as far as is known: the text says why, and whether it may have been all the same."""


class Event(NamedTuple):
    """One of several events that are published together."""

    topic: str
    event: str
    payload: Any
    """A dict or the like, or bytes."""


class PubSub:
    """Publishes to a running node: `async with PubSub() as pubsub: await pubsub.broadcast("room:1", "shout", {})`.

    What `broadcast` has returned from is under way: it is lost only if the worker that took it is killed. One PubSub
    publishes in order, as long as that worker lives. `SyncPubSub` is the same for code that is not async.
    """

    def __init__(self, run_dir: str | None = None) -> None:
        """`run_dir` is that of the node; by default ROOST_RUN_DIR, or where nodes are by default."""
        self._run_dir = run_dir or read_settings(this_machine(), os.environ).run_dir
        self._link: Link | None = None
        self._serving: asyncio.Future[None] | None = None
        self._worker: int | None = None
        self._turn = asyncio.Lock()

    async def broadcast(self, topic: str, event: str, payload: Any, *, key: str = "") -> None:
        """Send an event to all subscribers of a topic, as `endpoint.broadcast` does. Raises NotPublished.

        With a key, the same event under the same key is published once however often it is sent, so that it can be
        sent again after NotPublished; the node remembers keys for ten minutes.
        """
        await self.broadcast_all([Event(topic, event, payload)], key=key)

    async def broadcast_all(self, events: Sequence[Event], *, key: str = "") -> None:
        """Send several events, in order and with one question. Raises NotPublished; then none of them was sent."""
        await self._publish(tuple(_encoded(*event) for event in events), key)

    async def send(self, topic: str, message: Any, *, key: str = "") -> None:
        """Send a plain message to code that subscribes to a topic, as `endpoint.pubsub.broadcast` does."""
        encoded = msgspec.msgpack.encode(message)
        await self._publish((OutsideEvent(application_topic(topic), "", encoded, Form.PLAIN),), key)

    async def disconnect(self, name: str) -> int:
        """Close the sockets of one id. Answers how many; their clients may come back. Raises NotPublished."""
        return len((await self._ask(DisconnectSockets(name), Disconnected)).sockets)

    async def close(self) -> None:
        """Close the connection to the node; the next call makes another."""
        link, self._link = self._link, None
        if link is not None and self._serving is not None:
            link.close()
            with suppress(asyncio.CancelledError):
                await self._serving

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _publish(self, events: tuple[OutsideEvent, ...], key: str) -> None:
        async with self._turn:  # one after another: what comes later must not go to another worker meanwhile
            answer = await self._ask(BroadcastEvents(events, self._worker, key), Broadcasted)
            self._worker = answer.worker

    async def _ask(self, question: GatewayQuestion, answer: type[T]) -> T:
        link = await self._linked()
        try:
            return await link.ask(question, answer, ANSWER_LIMIT)
        except Refused as refused:
            raise NotPublished(str(refused)) from None
        except (LinkClosed, TimeoutError):
            await self.close()
            raise NotPublished(
                f"the node in {self._run_dir} did not answer: it may have been published or not"
            ) from None

    async def _linked(self) -> Link:
        if self._link is not None and self._serving is not None and not self._serving.done():
            return self._link
        try:
            self._link = await Link.to(RunDirectory(Path(self._run_dir)).control_socket)
        except OSError as error:
            raise NotPublished(f"no node runs in {self._run_dir}: {error.strerror or error}") from None
        self._serving = asyncio.ensure_future(self._link.serve())
        return self._link


class SyncPubSub:
    """`PubSub` for code that is not async: views, task queues, notebooks. From any thread; a child process may use it.

    A thread of its own talks to the node.
    """

    def __init__(self, run_dir: str | None = None) -> None:
        """As `PubSub`."""
        self._run_dir = run_dir
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._pubsub: PubSub | None = None
        self._end: Callable[[], None] | None = None

    def broadcast(self, topic: str, event: str, payload: Any, *, key: str = "") -> None:
        """As `PubSub.broadcast`."""
        self._run(self._there().broadcast(topic, event, payload, key=key))

    def broadcast_all(self, events: Sequence[Event], *, key: str = "") -> None:
        """As `PubSub.broadcast_all`."""
        self._run(self._there().broadcast_all(events, key=key))

    def send(self, topic: str, message: Any, *, key: str = "") -> None:
        """As `PubSub.send`."""
        self._run(self._there().send(topic, message, key=key))

    def disconnect(self, name: str) -> int:
        """As `PubSub.disconnect`."""
        return self._run(self._there().disconnect(name))

    def close(self) -> None:
        """Close the connection and end the thread; the next call begins anew. Done by itself when the program ends."""
        with self._lock:
            end, self._end = self._end, None
            self._loop = self._pubsub = None
        if end is not None:
            end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _there(self) -> PubSub:
        """What talks to the node, in a thread of this process: a thread does not survive a fork."""
        with self._lock:
            if self._pubsub is None or self._pid != os.getpid():
                self._pid = os.getpid()
                loop = self._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run_forever, args=[loop], name="roost-pubsub", daemon=True)
                thread.start()
                pubsub = self._pubsub = asyncio.run_coroutine_threadsafe(_make(self._run_dir), loop).result()
                self._end = weakref.finalize(self, _end, self._pid, loop, thread, pubsub)
            return self._pubsub

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


async def _make(run_dir: str | None) -> PubSub:
    return PubSub(run_dir)


def _run_forever(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _end(pid: int, loop: asyncio.AbstractEventLoop, thread: threading.Thread, pubsub: PubSub) -> None:
    """Close the connection and end the thread."""
    if loop.is_closed():
        return
    if pid != os.getpid():  # a child process has the thread's objects without the thread: they go without a word
        loop.set_exception_handler(lambda *_: None)
        return
    asyncio.run_coroutine_threadsafe(_close_and_stop(pubsub), loop)
    if thread is not threading.current_thread():  # which it is if the garbage collector ran there
        thread.join(ANSWER_LIMIT)


async def _close_and_stop(pubsub: PubSub) -> None:
    await pubsub.close()
    asyncio.get_running_loop().stop()


def _encoded(topic: str, event: str, payload: Any) -> OutsideEvent:
    """Raises what `endpoint.broadcast` raises: the code that publishes is to hear of it."""
    form, data = encode_broadcast(application_topic(topic), event, payload)
    return OutsideEvent(topic, event, data, form)
