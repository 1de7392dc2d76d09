"""The broker: supervisor of the shards, owner of the run directory, the shard map and the control socket."""

import asyncio
import contextlib
import logging
import os
import time
from typing import Any, Final, TypeVar

from roost.broker.bridge.supervision import KeptBridge
from roost.broker.inspection import ANSWER_LIMIT, MEASURING_LIMIT, hottest_topics, shard_branches, topic_pages
from roost.broker.pool import fresh
from roost.broker.shards import Shards
from roost.broker.traces import Traces
from roost.shared.cluster import (
    NODE_ANSWER_LIMIT,
    AskCluster,
    AskedHere,
    AskNode,
    ClusterStatus,
    Interest,
    NodePlace,
)
from roost.shared.config import Settings
from roost.shared.control import (
    AskConfig,
    AskDrain,
    AskMeasurements,
    AskNodeMeasurements,
    AskResharding,
    AskStatus,
    AskWorkerChange,
    ConfigRow,
    DrainGateway,
    GatewayStatus,
    JoinNode,
    MapChanged,
    Message,
    NodeStatus,
    Publishing,
    ScaleShards,
    ScaleWorkers,
    SetConfig,
    ShardStatus,
    Stop,
    TakeWorkerNumber,
    WorkerExited,
)
from roost.shared.drain import LEFT_TO_SHARDS, DrainStatus
from roost.shared.envelopes import BadEnvelope, decode_message
from roost.shared.failures import CannotStart
from roost.shared.hottest import AskHottestTopics
from roost.shared.inspection import AskTopics, AskTree, GatewayQuestion, GatewayTree, NodeTree
from roost.shared.link import Link, LinkClosed, Refused
from roost.shared.measurements import BridgeMeasurements, BrokerMeasurements, NodeMeasurements, ShardMeasurements
from roost.shared.run_directory import LockTaken, RunDirectory
from roost.shared.shard_map import ShardMap
from roost.shared.stop_signals import finish_undisturbed, hear_stop_signals
from roost.shared.trace import PollTrace, StartTrace, StopTrace
from roost.shared.usage import own_usage
from roost.shared.version import VERSION
from roost.shared.worker_change import WorkerChange

T = TypeVar("T")

_FOR_GATEWAYS: Final[tuple[tuple[Any, Any], ...]] = (
    (AskConfig | SetConfig, list[ConfigRow]),
    (ScaleWorkers | AskWorkerChange, WorkerChange | None),
    (DrainGateway | AskDrain, DrainStatus),
    (AskNodeMeasurements, NodeMeasurements),
    (GatewayQuestion, Any),
)
"""Questions that the gateway answers, with what it answers."""

NO_CLUSTER: Final = "this node is alone: it has no ROOST_CLUSTER"
BRIDGE_MARGIN: Final = 0.5
"""Seconds that a bridge has beyond those that another node has."""

_log = logging.getLogger("roost.broker")


class Broker:
    """The broker of one node."""

    def __init__(self, settings: Settings, run_dir: RunDirectory) -> None:
        self._run_dir = run_dir
        self._node = settings.node
        self._gateway_limit = settings.stop_limit - LEFT_TO_SHARDS
        """Seconds that the gateway has to stop its workers before the shards are stopped all the same."""
        self._started = time.monotonic()
        self._shards = Shards(
            run_dir,
            self._first_map(settings.shards),
            self._announce,
            stall_limit=settings.stall_limit,
            logs=settings.logs,
        )
        self._bridge: KeptBridge | None = None
        """Where the node is one of several."""
        if settings.cluster:
            self._bridge = KeptBridge(
                settings, run_dir, self._tell_gateways, self._shards.publishes, self._shards.tell_all, self._asked_here
            )
        self._gateways: set[Link] = set()
        self._traces = Traces(self._shards, self._gateways, self._bridge)
        self._gateway_gone = asyncio.Event()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or `roost stop`. Raises CannotStart when the shards cannot be kept alive."""
        hear_stop_signals(self._stop.set)
        self._run_dir.remove_sockets()
        self._shards.start()
        server = await asyncio.start_unix_server(self._serve, self._run_dir.control_socket)
        _log.info("%d shards in %s", len(self._shards.map.slots()), self._run_dir.path)
        self._shards.gave_up.add_done_callback(lambda _: self._stop.set())
        if self._bridge is not None:
            self._bridge.gave_up.add_done_callback(lambda _: self._stop.set())
            self._bridge.start()
        await self._stop.wait()
        finish_undisturbed()
        server.close()
        await self._stop_gateways()
        if self._bridge is not None:
            await self._bridge.stop()
        await self._shards.stop()
        self._run_dir.remove_sockets()
        self._run_dir.forget_the_dead()
        if self._shards.gave_up.done():
            raise CannotStart(self._shards.gave_up.result())
        if self._bridge is not None and self._bridge.gave_up.done():
            raise CannotStart(self._bridge.gave_up.result())

    # Shards

    def _first_map(self, shards: int) -> ShardMap:
        """A fresh epoch; but while workers of an earlier broker live, the map that they know (rule M7)."""
        previous = self._run_dir.read_map()
        if not self._run_dir.live_workers() or not previous.epochs:
            first = fresh(previous, shards)
            self._run_dir.write_map(first)
            return first
        return previous

    def _announce(self, shard_map: ShardMap) -> None:
        self._tell_gateways(MapChanged(shard_map))
        if self._bridge is not None:
            self._bridge.tell(MapChanged(shard_map))

    def _tell_gateways(self, message: Message) -> None:
        for gateway in self._gateways:
            gateway.tell(message)

    # The control socket

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        # At the broker's end it is cancelled, which asyncio's own callback does not expect (Python 3.11) and logs.
        with contextlib.suppress(asyncio.CancelledError):
            await link.serve(self._told, lambda message: self._asked(link, message))
        self._traces.left(link)
        if link in self._gateways:
            self._gateways.discard(link)
            self._gateway_gone.set()
            self._shards.tell_all(WorkerExited(0))

    def _told(self, message: Message) -> None:
        match message:
            case Stop():
                self._stop.set()
            case WorkerExited():
                self._shards.tell_all(message)
                if self._bridge is not None:
                    self._bridge.tell(message)
            case Interest():
                if self._bridge is not None:
                    self._bridge.tell(message)
            case Publishing():
                self._shards.publishes(message)

    async def _asked(self, link: Link, message: Message) -> Any:
        match message:
            case JoinNode():
                self._gateways.add(link)
                if self._bridge is not None and self._bridge.listening is not None:
                    link.tell(self._bridge.listening)
                return self._shards.map
            case TakeWorkerNumber():
                return NodePlace(self._take_worker_number(), self._node, self._bridge is not None)
            case AskNode():
                return await self._ask_node(message)
            case StartTrace():
                return await self._traces.answer(message, link)
        return await self._answer(message)

    def _take_worker_number(self) -> int:
        try:
            return self._run_dir.take_worker_number()
        except OSError as error:
            raise Refused(f"no worker number can be taken: {error}") from None

    async def _answer(self, message: Message) -> Any:
        """What may be asked here and from other nodes."""
        match message:
            case AskStatus():
                return await self._status()
            case AskMeasurements():
                return await self._measurements()
            case ScaleShards(shards):
                return self._shards.scale(shards)
            case AskResharding():
                return self._shards.resharding
            case AskTopics():
                return await topic_pages(self._shards, message)
            case AskHottestTopics():
                return await hottest_topics(self._shards, message)
            case AskTree():
                return await self._tree()
            case AskCluster():
                return await self._cluster()
            case StartTrace() | PollTrace() | StopTrace():
                return await self._traces.answer(message)
        return await self._ask_for(message)

    async def _ask_for(self, message: Message) -> Any:
        """What the gateway knows, and nobody else."""
        for questions, answer in _FOR_GATEWAYS:
            if isinstance(message, questions):
                return await self._ask_gateway(message, answer)
        raise Refused(f"the broker does not know {type(message).__name__}")

    async def _ask_node(self, message: AskNode) -> Any:
        if message.node == self._node:
            return await self._asked_here(AskedHere(message.node, message.question))
        if self._bridge is None:
            raise Refused(NO_CLUSTER)
        return await self._bridge.ask(message, Any, NODE_ANSWER_LIMIT + BRIDGE_MARGIN)

    async def _asked_here(self, asked: AskedHere) -> Any:
        """Answer another node's question as if it had been asked here. Raises Refused."""
        try:
            return await self._answer(decode_message(asked.question))
        except BadEnvelope as error:
            raise Refused(f"that is no question: {error}") from None

    async def _cluster(self) -> ClusterStatus:
        if self._bridge is None:
            raise Refused(NO_CLUSTER)
        status: ClusterStatus = await self._bridge.ask(AskCluster(), ClusterStatus, ANSWER_LIMIT)
        return status

    async def _stop_gateways(self) -> None:
        """Workers go first: what their clients still do needs the shards."""
        for gateway in self._gateways:
            gateway.tell(Stop())
        deadline = time.monotonic() + self._gateway_limit
        while self._gateways and (left := deadline - time.monotonic()) > 0:
            self._gateway_gone.clear()
            try:
                async with asyncio.timeout(left):
                    await self._gateway_gone.wait()
            except TimeoutError:
                _log.warning("the gateway still runs after %g s; stopping the shards", self._gateway_limit)

    # Answers

    async def _status(self) -> NodeStatus:
        answers, silent = await self._shards.ask_all(AskStatus(), ShardStatus, ANSWER_LIMIT)
        gateway, silent_gateways = await self._look_at_gateway(AskStatus(), GatewayStatus)
        cluster, silent_bridge = await self._look_at_bridge(AskCluster(), ClusterStatus, ANSWER_LIMIT)
        return NodeStatus(
            version=VERSION,
            pid=os.getpid(),
            uptime=time.monotonic() - self._started,
            map=self._shards.map,
            shards=tuple(sorted(answers, key=lambda shard: shard.slot)),
            gateway=gateway,
            silent=(*silent, *silent_gateways, *silent_bridge),
            cluster=cluster,
        )

    async def _measurements(self) -> BrokerMeasurements:
        shards = self._shards
        (answers, silent), (bridge, silent_bridge) = await asyncio.gather(
            shards.ask_all(AskMeasurements(), ShardMeasurements, MEASURING_LIMIT),
            self._look_at_bridge(AskMeasurements(), BridgeMeasurements, MEASURING_LIMIT),
        )
        return BrokerMeasurements(
            usage=own_usage(),
            uptime=time.monotonic() - self._started,
            epoch=shards.map.publish,
            shards=tuple(sorted(answers, key=lambda shard: shard.slot)),
            silent=(*silent, *silent_bridge),
            bridge=bridge,
            restarts=shards.restarts,
            resharding=shards.resharding,
        )

    async def _look_at_bridge(
        self, question: Message, answer: type[T], limit: float
    ) -> tuple[T | None, tuple[str, ...]]:
        """What the bridge answers, None if there is none; with its name if it did not answer."""
        if self._bridge is None:
            return None, ()
        try:
            return await self._bridge.ask(question, answer, limit), ()
        except Refused:
            return None, ("bridge",)

    async def _ask_gateway(self, question: Message, answer: Any) -> Any:
        """What the gateway answers. Raises Refused, in its words or for want of a gateway."""
        for gateway in self._gateways:
            try:
                return await gateway.ask(question, answer, ANSWER_LIMIT)
            except LinkClosed:
                continue
            except TimeoutError:
                raise Refused(f"the gateway did not answer within {ANSWER_LIMIT:g} s") from None
        raise Refused("there is no gateway, and so no workers (start one with `roost gateway APP`)")

    async def _tree(self) -> NodeTree:
        branches = await shard_branches(self._shards)
        bridge = None if self._bridge is None else self._bridge.branch()
        return NodeTree(os.getpid(), branches, *await self._look_at_gateway(AskTree(), GatewayTree), bridge)

    async def _look_at_gateway(self, question: Message, answer: type[T]) -> tuple[T | None, tuple[str, ...]]:
        """What the gateway answers, None if there is none; with whoever did not answer."""
        found: T | None = None
        silent = []
        for gateway in self._gateways:
            try:
                found = await gateway.ask(question, answer, ANSWER_LIMIT)
            except (LinkClosed, TimeoutError):
                silent.append("gateway")
        return found, tuple(silent)


def run_broker(settings: Settings) -> None:
    """Be the broker of the node in the settings' run directory. Raises CannotStart, RunDirectoryError."""
    run_dir = RunDirectory.open(settings.run_dir)
    try:
        lock = run_dir.take("broker")
    except LockTaken as taken:
        raise CannotStart(f"a broker already runs in {run_dir.path} (pid {taken.pid})") from None

    async def run() -> None:
        await Broker(settings, run_dir).run()

    try:
        asyncio.run(run())
    finally:
        lock.release()
