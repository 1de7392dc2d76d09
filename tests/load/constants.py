"""What each part of a node costs, measured for `roost plan`, whose constants this writes."""

import asyncio
import platform
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from roost import PubSub
from roost.broker.bridge.bridge import Bridge
from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import NEWEST, OLDEST, Beat, Origin, encode
from roost.commands.plan import Constants
from roost.outside import Event
from roost.shared.cluster import Interest
from roost.shared.crossing import BUCKETS, pack_buckets
from roost.shared.version import VERSION
from tests.e2e.cluster import bridge_pid, cluster
from tests.e2e.node import Node as ClusterNode
from tests.e2e.raw import RawClient
from tests.engines import NatsServer
from tests.load.machine import cores, cpu_seconds, pss_bytes
from tests.load.orders import LoadTestFailed
from tests.load.plan import Crowding, Work
from tests.load.result import Report
from tests.load.scenarios import Setup, drive, idle, join
from tests.load.server import Node

ROOM: Final = 1000
SMALL_ROOM: Final = 2
BRIDGED_TOPICS: Final = 100
BRIDGED_PERIOD: Final = 0.01
BRIDGED_AT_ONCE: Final = 20
"""Publishes of a period, each in a topic of its own: hardly any share a message between nodes."""
BEATS: Final = 200
ENGINE_MESSAGES: Final = 1_030_000.0
"""Handed out in a second by one NATS server to 1,000 clients: what `python -m tests.load peers` found."""
MICROSECONDS: Final = 1e6
SETTLING: Final = 1.0


def measure(setup: Setup, seconds: float, clients: int) -> Constants:
    """All of them: about a minute."""
    large = drive(setup, Crowding(1, ROOM), Work("paced", rate=50, seconds=seconds))
    rooms = drive(setup, Crowding(500, SMALL_ROOM), Work("rooms", window=1, seconds=seconds))
    joins = join(setup, Crowding(1, clients), storm=False)
    beats = idle(setup, Crowding(1, clients), seconds=2 * seconds, period=seconds, broadcasts=0)
    bases = _base_memory()
    sent, received, bridge_memory = _bridge(seconds)
    delivery = _figure(large, "cpu_a_delivery_worker")
    shard_publish = SMALL_ROOM * _figure(rooms, "cpu_a_delivery_shard")
    return Constants(
        measured=datetime.now(UTC).date().isoformat(),
        machine=f"{cores()} cores, {_processor()}, shared with the load generator",
        release=VERSION,
        delivery=delivery,
        publish=max(0.0, SMALL_ROOM * (_figure(rooms, "cpu_a_delivery_worker") - delivery)),
        heartbeat=_figure(beats, "idle_cpu") / 100 * 2 * seconds / _figure(beats, "heartbeats") * MICROSECONDS,
        join=_figure(joins, "cpu_a_join"),
        shard_publish=shard_publish,
        shard_delivery=max(0.0, _figure(large, "cpu_a_delivery_shard") - shard_publish / ROOM),
        bridge_sent=sent,
        bridge_received=received,
        bridge_beat=_beat(),
        engine_messages=ENGINE_MESSAGES,
        client_memory=_figure(joins, "memory_a_client") * 1000,
        node_memory=bases["broker"] + bases["gateway"] + bridge_memory,
        worker_memory=bases["worker"],
        shard_memory=bases["shard"],
    )


def rounded(constants: Constants) -> dict[str, str | float]:
    """With the digits that mean something."""
    values = {name: getattr(constants, name) for name in Constants.__struct_fields__}
    return {name: value if isinstance(value, str) else float(f"{value:.3g}") for name, value in values.items()}


def _figure(report: Report, key: str) -> float:
    value = report.results[0].value(key)
    if value is None:
        raise LoadTestFailed(f"{report.title} has no figure for {key} that may be quoted: run it on an idle machine")
    return value


def _base_memory() -> dict[str, float]:
    with Node(1, 1) as node:
        return {process.kind: float(pss_bytes(process.pid)) for process in node.processes()}


def _bridge(seconds: float) -> tuple[float, float, float]:
    """CPU of a publish that goes out and of one that comes in, in microseconds, and a bridge's bytes."""
    with NatsServer() as engine, cluster(engine, "a", "b") as (here, there):
        return asyncio.run(_bridged(here, there, seconds))


async def _bridged(here: ClusterNode, there: ClusterNode, seconds: float) -> tuple[float, float, float]:
    topics = [f"room:{number}" for number in range(BRIDGED_TOPICS)]
    pids = [bridge_pid(node) for node in (here, there)]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(RawClient(there.url))
        for at, topic in enumerate(topics):
            await client.join(topic, str(at + 1))
        reading = asyncio.ensure_future(_read(client))
        stack.callback(reading.cancel)
        pubsub = await stack.enter_async_context(PubSub(str(here.run_dir)))
        before, known = [cpu_seconds(pid) for pid in pids], await asyncio.to_thread(_came, there)
        began = time.monotonic()
        published = 0
        while (now := time.monotonic()) < began + seconds:
            chosen = [topics[(published + step) % BRIDGED_TOPICS] for step in range(BRIDGED_AT_ONCE)]
            await pubsub.broadcast_all([Event(topic, "new_msg", {"n": "x" * 50}) for topic in chosen])
            published += len(chosen)
            await asyncio.sleep(max(0.0, BRIDGED_PERIOD - (time.monotonic() - now)))
        await asyncio.sleep(SETTLING)
        used = [(cpu_seconds(pid) - old) * MICROSECONDS for pid, old in zip(pids, before, strict=True)]
        came = await asyncio.to_thread(_came, there) - known
        if came < published:
            raise LoadTestFailed(f"{published} were published, and {came} came to the other node")
        return used[0] / published, used[1] / came, float(pss_bytes(pids[1]))


def _came(node: ClusterNode) -> int:
    """Publishes that came to a node from the other one."""
    (other,) = node.ask("nodes")["nodes"]
    received: int = other["received"]
    return received


async def _read(client: RawClient) -> None:
    while True:
        await client.receive()


def _beat() -> float:
    """Microseconds that a bridge which listens to every bucket needs for another node's beat."""
    bridge = Bridge(Origin("a", "id-a", 1), Subjects("constants"), 1 << 20, VERSION, 0.0, again=False)
    bridge.interest(Interest(1, 1, pack_buckets(set(range(BUCKETS)))))
    bridge.connected(1 << 20, 0.0)
    bridge.subscribed(bridge.changes().subscribe)
    numbers = {bucket: 1_000_000 + bucket for bucket in range(BUCKETS)}
    beats = [
        encode(Beat(Origin("b", "id-b", 1), number, OLDEST, NEWEST, VERSION, numbers, {})) for number in range(BEATS)
    ]
    began = time.process_time()
    for beat in beats:
        bridge.received(beat, 0.0)
    return (time.process_time() - began) / BEATS * MICROSECONDS


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
