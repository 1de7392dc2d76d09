"""Program order: what a channel sends its client keeps its order, whatever is known of echoes already."""

from roost.gateway.clients.program_order import ProgramOrder
from roost.shared.bus import decode_worker_parcel
from roost.shared.shard_map import Slot
from tests.gateway.memory_bus import LONGEST_DELAY, MemoryBus


class Client:
    """What program order needs of a client."""

    def __init__(self, client_hash: int) -> None:
        self.hash = client_hash
        self.sent: list[bytes] = []
        self.held = 0
        self.transport = self

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def hold(self, size: int) -> None:
        self.held += size

    def release(self, size: int) -> None:
        self.held -= size


def test_what_comes_later_does_not_pass_what_is_held() -> None:
    """The parcel that says "through" was read, and not carried out yet, when the channel sends once more."""
    bus = MemoryBus(1, 1)
    slot = Slot(0, 0)
    worker = bus.workers[1]
    bus.settle()
    client = Client(worker.hash_of(1))
    order = ProgramOrder(worker.delivery, client)  # type: ignore[arg-type]
    order.published(worker.publish("nowhere", b"{}"))
    order.send(b"first")
    bus.exchange(slot, answer=False)
    bus.now += LONGEST_DELAY
    bus.exchange(slot, answer=False)
    (data,) = bus._to_worker[1, slot]
    bus._to_worker[1, slot].clear()
    arrival = worker.delivery.receive(slot, decode_worker_parcel(data), bus.now)
    assert worker.delivery.echoed(client.hash, 1)
    order.send(b"second")
    assert (client.sent, client.held) == ([], len(b"firstsecond"))
    bus._carry_out(worker, arrival)
    assert (client.sent, client.held) == ([b"first", b"second"], 0)
