"""The process of a bridge: between the node's shards and an engine that other nodes are connected to as well.

No decisions here: `bridge` has them. One task keeps a connection, one hands batches over, one asks for subscriptions.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Awaitable
from typing import Any, Final

import msgspec
import uvloop

from roost.broker.bridge.bridge import Bridge
from roost.broker.bridge.bridge_trace import BridgeTrace
from roost.broker.bridge.engine import Connection, Engine, EngineAway, EngineRefuses, find_engine
from roost.broker.bridge.local_bus import LocalBus
from roost.broker.bridge.questions import Questions
from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import Origin
from roost.shared.bus import BadParcel
from roost.shared.child import become_child, first_message
from roost.shared.cluster import AskCluster, AskNode, ClusterStatus, Interest
from roost.shared.control import (
    AskMeasurements,
    Failed,
    MapChanged,
    Message,
    Ping,
    Publishing,
    Ready,
    StartBridge,
    Stop,
    WorkerExited,
)
from roost.shared.envelopes import Tell, encode_envelope
from roost.shared.failures import CannotStart
from roost.shared.link import Link, Refused
from roost.shared.logs import log_to_stderr
from roost.shared.measurements import BridgeMeasurements
from roost.shared.run_directory import RunDirectory, bridge_name, worker_name
from roost.shared.trace import EndTrace, FollowTrace
from roost.shared.usage import own_usage
from roost.shared.version import VERSION

BEAT: Final = 1.0
"""Seconds between two beats."""
FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 1.0
"""Seconds between two attempts to connect: the first, then twice as long each time up to this. All nodes of a cluster
must be able to come back within the `REJOIN_BEATS` that the first to come back waits for the others."""
NAMESAKE_LIMIT: Final = 1.0
"""Seconds that a new node asks around whether there is one of its name."""
LEAVE_LIMIT: Final = 0.8
"""Seconds that a bridge has, when the node stops, to hand over what waits."""
LEAVE_LOOK: Final = 0.01
"""Seconds between two looks whether it has."""

_log = logging.getLogger("roost.bridge")


class BridgeProcess:
    """The shell around one `Bridge`."""

    def __init__(self, start: StartBridge, engine: Engine, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        self._start = start
        self._engine = engine
        self._link = link
        self._loop = loop
        run_dir = RunDirectory.open(start.run_dir)
        # Rule W1: the lock is the last preparation, and comes before the map is read.
        # The bridge's own name is locked first: who sees it live as a worker can see that it is a bridge.
        self._further_life = run_dir.live(bridge_name(start.worker))
        self._life = run_dir.live(worker_name(start.worker))
        self._subjects = Subjects(start.engine.cluster)
        origin = Origin(start.node, run_dir.node_id(), start.worker)
        self._bridge = Bridge(origin, self._subjects, start.buffer_bytes, VERSION, loop.time(), again=start.again)
        self._bus = LocalBus(run_dir, start.worker, loop, self._tapped, self._direct, start.buffer_bytes)
        self._trace = BridgeTrace(start.worker, lambda: self._bus.shards)
        self._connection: Connection | None = None
        self._lost = asyncio.Event()
        self._to_send = asyncio.Event()
        self._questions = Questions(self._bridge, link, self._to_send.set)
        self._to_subscribe = asyncio.Event()
        self._tried = asyncio.Event()
        """Set when the engine was tried once."""
        self._stop = asyncio.Event()
        self._told_of_namesake = self._told_of_unreadable = False

    async def run(self) -> None:
        """Serve until the supervisor says stop, or is gone. Raises CannotStart."""
        serving_link = asyncio.ensure_future(self._link.serve(self._told, self._asked))
        serving_link.add_done_callback(_die)
        self._bus.changed_over = self._report
        self._report(self._bus.epoch)
        await self._bus.standing()
        working = [asyncio.ensure_future(one) for one in (self._keep_connection(), self._beat())]
        await self._first(working, self._tried.wait(), self._stop.wait())
        if self._connection is not None:
            await self._first(working, asyncio.sleep(NAMESAKE_LIMIT), self._stop.wait())
        if (other := self._bridge.namesake) is not None:
            raise CannotStart(f"there is a node named {other.node} already (ROOST_NODE names this one)")
        self._bridge.accepted()
        self._to_send.set()
        self._link.tell(Ready())
        await self._first(working, self._stop.wait())
        await self._leave()
        for task in working:
            task.cancel()
        if self._connection is not None:
            await self._connection.close()
        self._bus.close()

    async def _first(self, working: list[asyncio.Task[None]], *awaited: Awaitable[Any]) -> None:
        """Wait for one of several things, while none of the tasks ends: they only do with an error."""
        waiting = [asyncio.ensure_future(one) for one in awaited]
        done, _ = await asyncio.wait([*waiting, *working], return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        for task in done:
            task.result()

    # The engine

    async def _keep_connection(self) -> None:
        pause, said = FIRST_PAUSE, ""
        while True:
            began = self._loop.time()
            try:
                await self._live_one_connection()
                if self._loop.time() - began > MAX_PAUSE:
                    pause = FIRST_PAUSE
            except EngineAway as why:
                if not self._tried.is_set() or pause == FIRST_PAUSE:
                    _log.warning("the engine is away: %s", why)
            except EngineRefuses as why:
                if not self._tried.is_set():
                    raise
                if str(why) != said:
                    _log.error("%s", why)
                said = str(why)
            self._tried.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)

    async def _live_one_connection(self) -> None:
        """From its beginning to its end. Raises EngineAway if there was none, EngineRefuses."""
        self._lost.clear()
        connection = await self._engine.connect(self._received, self._lost.set)
        self._bridge.connected(connection.max_message, self._loop.time(), spreads=connection.spreads)
        tasks = [asyncio.ensure_future(one) for one in (self._subscribe(connection), self._send(connection))]
        self._connection = connection
        ended = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._connection = None
            for task in (ended, *tasks):
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            self._bridge.lost(self._loop.time())
            self._changed()
            await connection.close()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, EngineAway):
                raise result
        _log.warning("the connection to %s is gone", self._engine.address)

    async def _subscribe(self, connection: Connection) -> None:
        """Ask for what is wanted: all at once in the beginning, then what changes. Raises EngineAway."""
        changes = self._bridge.changes()
        own = [self._subjects.everybody, self._subjects.node(self._start.node)]
        await connection.subscribe([*own, *map(self._subjects.bucket, changes.subscribe)])
        self._bridge.subscribed(changes.subscribe)
        self._bridge.resubscribed(self._loop.time())
        _log.info("connected to %s", self._engine.address)
        self._tried.set()
        while True:
            self._changed()
            await self._to_subscribe.wait()
            self._to_subscribe.clear()
            changes = self._bridge.changes()
            if changes.unsubscribe:
                await connection.unsubscribe([self._subjects.bucket(bucket) for bucket in changes.unsubscribe])
            if changes.subscribe:
                await connection.subscribe([self._subjects.bucket(bucket) for bucket in changes.subscribe])
            self._bridge.subscribed(changes.subscribe)

    async def _send(self, connection: Connection) -> None:
        """Hand over batch after batch. Raises EngineAway."""
        while True:
            while not self._bridge.has_more():
                self._to_send.clear()
                await self._to_send.wait()
            await connection.publish(self._bridge.batch(self._loop.time()))
            self._bridge.confirmed()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            if self._bridge.tick(self._loop.time()):
                _log.warning("%s does not answer; connecting again", self._engine.address)
                self._lost.set()
            self._changed()
            self._trace.end_unasked(self._loop.time())

    def _received(self, data: bytes) -> None:
        arrived = self._trace.clock() if self._trace.on else 0
        self._bridge.received(data, self._loop.time())
        deliveries, self._bridge.deliveries = self._bridge.deliveries, []
        for crossing, member in deliveries:
            followed = self._trace.mark(crossing, member.origin.node, arrived) if arrived else None
            if not self._bus.publish(crossing, followed):
                self._bridge.members.lost(member, 1)
        if self._bridge.noteworthy:
            self._bridge.noteworthy = False
            self._changed()

    def _changed(self) -> None:
        """Carry out what is to be told."""
        for news in self._bridge.take_news():
            self._link.tell(news)
        if (listening := self._bridge.listening()) is not None:
            self._link.tell(listening)
        self._questions.carry_out()
        self._to_send.set()
        self._complain()

    def _complain(self) -> None:
        if self._bridge.namesake is not None and not self._told_of_namesake:
            self._told_of_namesake = True
            _log.error("another node is named %s too", self._start.node)
        if self._bridge.complaint and not self._told_of_unreadable:
            self._told_of_unreadable = True
            _log.error("what came from the engine cannot be taken: %s", self._bridge.complaint)

    # The node

    def _tapped(self, letter: bytes) -> None:
        try:
            self._bridge.tapped(letter)
        except BadParcel:
            _log.exception("a shard handed over what is no publish")
        self._to_send.set()

    def _direct(self, payload: bytes) -> None:
        try:
            self._bridge.direct(payload)
        except BadParcel:
            _log.exception("a worker handed over what is no publish for one node")
        self._to_send.set()

    def _report(self, epoch: int) -> None:
        self._link.tell(Publishing(self._start.worker, epoch))

    def _told(self, message: Message) -> None:
        match message:
            case Stop():
                self._stop.set()
            case MapChanged(shard_map):
                self._bus.adopt(shard_map)
                self._report(self._bus.epoch)
            case Interest():
                self._bridge.interest(message)
                self._to_subscribe.set()
                self._changed()
            case WorkerExited(worker):
                self._bridge.worker_exited(worker)
                self._to_subscribe.set()
                self._changed()
            case EndTrace(number):
                self._trace.end(number)

    async def _asked(self, message: Message) -> Any:
        match message:
            case Ping():
                return True
            case AskCluster():
                return self._status()
            case AskMeasurements():
                return BridgeMeasurements(self._start.worker, own_usage(), self._status())
            case AskNode():
                return await self._questions.ask(message)
            case FollowTrace():
                return self._trace.follow(message, self._loop.time())
        raise Refused(f"a bridge does not know {type(message).__name__}")

    def _status(self) -> ClusterStatus:
        status = self._bridge.status(self._engine.address, self._loop.time())
        return msgspec.structs.replace(status, traces=self._trace.count)

    async def _leave(self) -> None:
        """Hand over what waits, and say goodbye."""
        with contextlib.suppress(TimeoutError, EngineAway):
            async with asyncio.timeout(LEAVE_LIMIT):
                while self._bridge.outgoing.count or not self._bus.drained():
                    await asyncio.sleep(LEAVE_LOOK)
                if self._connection is not None:
                    await self._connection.publish(self._bridge.goodbye())
        if self._bridge.outgoing.count:
            _log.warning("%d publishes did not reach the other nodes", self._bridge.outgoing.count)


def _die(serving_link: "asyncio.Task[None]") -> None:
    """The supervisor is gone, or what it told could not be carried out: nothing of a bridge may stay behind."""
    if serving_link.cancelled():
        return  # the loop ends
    if (error := serving_link.exception()) is not None:
        _log.critical("what the broker told could not be carried out", exc_info=error)
    os._exit(1)


async def _serve(end: socket.socket, start: StartBridge) -> None:
    await BridgeProcess(start, find_engine(start.engine), await Link.over(end), asyncio.get_running_loop()).run()


def main() -> None:
    """Become a bridge: the first message on the link says to what."""
    end = become_child(sys.argv)
    start = first_message(end)
    if not isinstance(start, StartBridge):
        raise SystemExit(f"a bridge begins with StartBridge, not {type(start).__name__}")
    log_to_stderr(sys.argv[1], start.logs)
    with end.dup() as last_word:
        try:
            uvloop.run(_serve(end, start))
        except CannotStart as reason:
            last_word.sendall(encode_envelope(Tell(Failed(str(reason)))))
            raise SystemExit(1) from None


if __name__ == "__main__":
    main()
