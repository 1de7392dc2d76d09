"""When nothing moves any more, and what must be true then: no ghosts, nothing of the dead, balanced books."""

from typing import Final

from roost.broker.pool import Phase, phase
from tests.simulation.cluster import Cluster
from tests.simulation.shard import SimShard
from tests.simulation.worker import SimWorker, require

LOOK: Final = 0.25
LIMIT: Final = 120.0
"""Simulated seconds; more than the longest wait for a sign of life with all that follows."""


def come_to_rest(cluster: Cluster) -> None:
    """Let time pass until nothing is under way."""
    waited = 0.0
    while (reason := unrest(cluster)) is not None:
        require(waited < LIMIT, f"does not come to rest: {reason}")
        cluster.report()
        cluster.clock.run(LOOK)
        waited += LOOK
    judge(cluster)


def unrest(cluster: Cluster) -> str | None:
    """What still moves, if anything does."""
    if phase(cluster.map) is not Phase.SETTLED:
        return "a change of the number of shards"
    for slot, incarnation in cluster.map.slots().items():
        shard = cluster.shards.get((slot, incarnation))
        if shard is None or not shard.running or shard.core is None:
            return f"{slot} does not run"
        if not shard.core.open:
            return f"{shard.name} awaits {shard.core.awaited}"
        if shard.core._peers.keys() - cluster.live_workers():
            return f"{shard.name} has not buried the dead"
        if shard.core._queue or any(peer.outbox for peer in shard.core._peers.values()):
            return f"{shard.name} has a queue or an outbox"
    for shard in cluster.living_shards():
        if cluster.map.incarnation(shard.slot) != shard.incarnation:
            return f"{shard.name} lives, and the map does not name it"
    return next(filter(None, map(_unrest_of_worker, cluster.workers.values())), None) or _unrest_between(cluster)


def _unrest_of_worker(worker: SimWorker) -> str | None:
    if not worker.ready or worker.draining:
        return f"{worker.name} starts or drains"
    delivery = worker.delivery
    if delivery._map is not worker.cluster.map and delivery._map.version < worker.cluster.map.version:
        return f"{worker.name} has an old map"
    if not delivery.drained():
        return f"{worker.name} has a log of {len(delivery._log)}, {delivery._log.waiting} wait"
    if delivery._waiting:
        return f"{worker.name} has {len(delivery._waiting)} joins without an answer"
    if any(client.unanswered or client.held for client in worker.clients):
        return f"{worker.name} holds replies"
    if any(channel.waiting for client in worker.clients for channel in client.channels.values()):
        return f"{worker.name}: code waits for credit"
    return None


def _unrest_between(cluster: Cluster) -> str | None:
    """A hole that nobody has noticed yet is unrest too: both ends must have counted the same."""
    if any(lane.parcels for one in cluster.network.open_connections() for lane in (one.up, one.down)):
        return "parcels are under way"
    for worker, shard in cluster.pairs():
        link = worker.delivery._links[shard.slot]
        assert shard.core is not None
        peer = shard.core._peers.get(worker.number)
        if peer is None or peer.broken or link.outgoing or peer.answers:
            return f"{worker.name} and {shard.name} have no session"
        if (peer.session, peer.received, peer.sent) != (link.session, link._sent, link._received):
            return f"{worker.name} and {shard.name} count differently"
    return None


def judge(cluster: Cluster) -> None:
    """At rest."""
    for shard in cluster.living_shards():
        _judge_table(cluster, shard)
    for worker in cluster.workers.values():
        delivery = worker.delivery
        require(delivery._links.keys() == cluster.map.slots().keys(), f"{worker.name} keeps links that are no more")
        require(delivery.epoch == cluster.map.publish, f"{worker.name} publishes in an old epoch")
    for worker, shard in cluster.pairs():
        _judge_pair(worker, shard)
    for listener in cluster.listeners:
        if not listener.left:
            require(listener.joined, f"{listener} was never answered")
        for publisher in cluster.publishers.values():
            listener.close_account(publisher)


def _judge_table(cluster: Cluster, shard: SimShard) -> None:
    """Rows equal the workers' truth; nothing is kept of the dead."""
    assert shard.core is not None
    table = shard.core.table
    rows = {
        (row.worker, row.subscriber, topic.name, row.lane) for topic in table.topics() for row in table.rows(topic.name)
    }
    truth = {
        (worker.number, one.number, one.topic, one.lane)
        for worker in cluster.workers.values()
        for one in worker.delivery.subscriptions.values()
        if cluster.map.owner(shard.slot.epoch, one.client_hash) == shard.slot
    }
    require(rows == truth, f"{shard.name} has the ghosts {rows - truth} and lacks {truth - rows}")
    kept = shard.core._peers.keys() | table._workers.keys() | table._disbanded.keys() | shard.core.awaited
    require(kept <= cluster.live_workers(), f"{shard.name} keeps something of the dead among {kept}")


def _judge_pair(worker: SimWorker, shard: SimShard) -> None:
    assert shard.core is not None
    link = worker.delivery._links[shard.slot]
    acknowledged = shard.core._peers[worker.number].acknowledged
    require(
        link.offered == acknowledged, f"{shard.name} offered {worker.name} {link.offered}, acknowledged {acknowledged}"
    )
    require(not link._holds, f"{worker.name} holds something back")
    known = {
        audience.number
        for topic in shard.core.table.topics()
        for audience in topic.audiences.get(worker.number, {}).values()
    } | {gone.audience for gone in shard.core.table._disbanded.get(worker.number, ())}
    require(link._audiences.keys() <= known, f"{worker.name} keeps audiences that {shard.name} has not")
