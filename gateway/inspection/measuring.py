"""What a worker measures of itself, gathered when it is asked for. No decisions here."""

from roost.gateway.bus.uplink import Uplink
from roost.gateway.clients.runtime import Runtime
from roost.gateway.connect.capacity import Capacity
from roost.gateway.processes.watchdog import Watchdog
from roost.shared.measurements import WorkerMeasurements
from roost.shared.usage import own_usage


def measure_worker(runtime: Runtime, uplink: Uplink, capacity: Capacity, watchdog: Watchdog) -> WorkerMeasurements:
    """All counts and sizes of this worker as they stand now."""
    traffic, clients = runtime.turn.traffic, runtime.clients
    books = uplink.books.answer(runtime.drops.counts())
    return WorkerMeasurements(
        number=runtime.worker,
        usage=own_usage(),
        connections=len(clients),
        channels=sum(len(client.topics) for client in clients.values()),
        joins={"ok": traffic.joined, "error": traffic.refused},
        messages_received=traffic.messages_received,
        bytes_received=traffic.bytes_received,
        broadcasts_sent=traffic.broadcasts_sent,
        replies_sent=traffic.replies_sent,
        bytes_sent=traffic.bytes_sent,
        published=uplink.published,
        deliveries=books.delivered,
        dropped=books.dropped,
        skipped={"duplicate": books.duplicate, "gone": books.gone, "early": books.early},
        refused=capacity.turned_away,
        cut=capacity.cut,
        too_often=traffic.too_often,
        waiting_bytes=traffic.waiting_bytes(),
        slow_clients=len(traffic.slow),
        log_bytes=uplink.log_bytes,
        waiting_publishes=uplink.waiting_publishes,
        latency=uplink.latency.measured(),
        write_time=uplink.write_time.measured(),
        loop_lag=watchdog.lag.measured(),
    )
