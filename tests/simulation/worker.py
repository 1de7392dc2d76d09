"""The shell of a simulated worker: around the real `Delivery`, `hand_over` and `Turn`, with every step torn apart."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.bus.handover import hand_over
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Lane, decode_worker_parcel
from roost.shared.cluster import Listening
from roost.shared.peer.audience import Subscription
from roost.shared.peer.delivery import Arrival, Delivery, Open
from roost.shared.shard_map import ShardMap, Slot
from tests.simulation.bridge import BridgedWorker, SimBridge
from tests.simulation.client import INTERCEPTED, Channel, Client
from tests.simulation.clock import Process
from tests.simulation.network import Connection
from tests.simulation.promises import Broken, Listener, Publication

if TYPE_CHECKING:
    from tests.simulation.cluster import Cluster

TICK: Final = 0.5


class SimWorker(Process):
    """One worker process."""

    def __init__(self, cluster: "Cluster", number: int) -> None:
        super().__init__(cluster.clock, f"worker {number}")
        self.cluster = cluster
        self.number = number
        self.clients: list[Client] = []
        self.channels: set[Channel] = set()
        """Those whose listener has not left."""
        self.draining = False
        self._link_due = 0.0
        self.reads_map_rarely = self.clock.chance(0.2)
        self.turn = Turn(self)  # type: ignore[arg-type]
        self.turn.at_end = self._flush
        self.connections: dict[Slot, Connection] = {}
        self._delivery: Delivery | None = None
        self.bridged: BridgedWorker | None = None
        self.heard = 0
        """Messages that its channels were handed."""
        self._received: list[tuple[Connection, bytes]] = []
        self._deadline: float | None = None
        self.later(self.clock.delay(0.05), self.start)

    # The start: W1

    def start(self) -> None:
        """The lock first, then the map."""
        self.lock()
        self.later(self.clock.delay(0.05), self.read_map)

    def lock(self) -> None:
        self.locked = True
        self.clock.note(f"{self.name} lives")

    def read_map(self) -> None:
        shard_map = self.cluster.map
        self.later(self.clock.delay(0.02), lambda: self.begin(shard_map))

    def begin(self, shard_map: ShardMap) -> None:
        self._delivery = Delivery(
            self.number,
            shard_map,
            self.clock.now,
            self.cluster.worker_lives,
            publish_window=self.cluster.publish_window,
        )
        if self.cluster.bridged:
            self.bridged = BridgedWorker(self)
        self.turn.wake()
        self.later(self.clock.delay(TICK), self._tick)
        self.clock.note(f"{self.name} begins with map {shard_map.version}, publishes in {shard_map.publish}")

    @property
    def ready(self) -> bool:
        return self.running and self._delivery is not None

    @property
    def delivery(self) -> Delivery:
        assert self._delivery is not None
        return self._delivery

    def call_soon(self, action: Callable[[], object]) -> None:
        """What `Turn` asks of a loop."""
        self.later(0.0005, action)

    # What clients and code do

    def connect(self) -> Client:
        client = Client(self, self.cluster.next_serial())
        self.clients.append(client)
        return client

    def join(self, client: Client, topic: str, lane: Lane, *, intercepts: bool) -> Channel:
        listener = Listener(self.number, topic, lane, intercepts, self.cluster.known_through())
        channel: Channel = Channel.__new__(Channel)
        if self.bridged is not None:
            self.bridged.interest.add(topic)
        subscription = self.delivery.subscribe(
            client.hash, topic, lane, (INTERCEPTED,) if intercepts else (), channel, channel
        )
        listener.number = subscription.number
        Channel.__init__(channel, client, listener, subscription)
        client.channels[topic] = channel
        self.channels.add(channel)
        self.cluster.listeners.append(listener)
        self.turn.wake()
        self.clock.meet("join", listener)
        return channel

    def unsubscribe(self, subscription: Subscription) -> None:
        if self.bridged is not None:
            self.bridged.interest.discard(subscription.topic)
        self.delivery.unsubscribe(subscription)
        self.turn.wake()

    def publish(
        self, topic: str, form: Form, event: str, sender: int, channel: Channel | None
    ) -> tuple[Publication, int]:
        """Publish if there is credit, else wait; answers 0 then."""
        publisher = self.cluster.publishers[self.number]
        publication = Publication(
            self.cluster.next_serial(), self.number, topic, sender, form is Form.PLAIN, event == INTERCEPTED
        )
        self.cluster.publications[publication.serial] = publication
        publisher.asked.append(publication)
        payload = b"%d" % publication.serial
        number = self.delivery.publish(topic, form, event, payload, sender)
        self.clock.meet("publish", f"{publication.serial} on {topic} by {self.name} as {number or 'soon'}")
        if number:
            publisher.admitted(publication, number)
        else:
            self.clock.meet("wait for credit")
            ticket = (publication, channel)
            self.delivery.await_credit(ticket, topic, form, event, payload, sender)
        self.turn.wake()
        return publication, number

    def withdraw(self, channel: Channel, publication: Publication) -> None:
        self.clock.meet("withdraw", publication.serial)
        self.delivery.withdraw((publication, channel))
        if not publication.number:
            self.cluster.publishers[self.number].asked.remove(publication)

    # The end: W11

    def drain(self) -> None:
        """Send all clients away, let what they caused go out, then end."""
        self.clock.meet("drain", self.name)
        self.draining = True
        for channel in list(self.channels):
            channel.withdraw()
            channel.unsubscribe()
        for client in self.clients:
            client.channels.clear()
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self.draining and self.may_end():
            self.cluster.note_through(self)
            self.cluster.worker_ends(self)

    def may_end(self) -> bool:
        return self.delivery.drained()

    # Sockets

    def receive(self, connection: Connection, data: bytes) -> None:
        """Parcels are read in runs, as a readable socket gives them."""
        self._received.append((connection, data))
        if len(self._received) == 1:
            self.later(self.clock.delay(0.0005), self._readable)

    def _readable(self) -> None:
        received, self._received = self._received, []
        arrivals = []
        for connection, data in received:
            parcel = decode_worker_parcel(data)
            self.cluster.judge_parcel(self, connection, parcel)
            duplicates = self.delivery.books.duplicate
            arrivals.append(self.delivery.receive(connection.slot, parcel, self.clock.now))
            self.clock.met["duplicate at a worker"] += self.delivery.books.duplicate - duplicates
        self._carry_out(arrivals)

    def adopt(self, shard_map: ShardMap) -> None:
        """The map was pushed or read."""
        if self._delivery is None:
            return
        epoch = self.delivery.epoch
        if shard_map.version < self.delivery._map.version:
            self.clock.meet("late map")
        self._carry_out([self.delivery.adopt(shard_map, self.clock.now)])
        if self.delivery.epoch != epoch:
            self.clock.meet("change-over", self.name)

    def _carry_out(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            for subscription in arrival.confirmed:
                subscription.inbox.confirmed(subscription)
        # Numbers exist since the parcel was received; clients hear of them below.
        for arrival in arrivals:
            for (publication, _), number in arrival.admitted:
                self.cluster.publishers[self.number].admitted(publication, number)
        self.delivery.departed.clear()
        handovers = [handover for arrival in arrivals for handover in arrival.handovers]
        books = self.delivery.books
        gone = books.gone
        books.hand_over(hand_over(handovers, self.turn, self.delivery.departed))
        self.clock.met["left while handed over to"] += books.gone - gone
        for arrival in arrivals:
            for (publication, channel), _ in arrival.admitted:
                if channel is not None:
                    self.later(self.clock.delay(0.001), partial(self._resume, channel, publication))
        self.turn.wake()
        self.cluster.judge_worker(self)
        self._end_if_drained()

    def _resume(self, channel: Channel, publication: Publication) -> None:
        if channel.waiting is publication:
            channel.admitted(publication)

    def bridge_says(self, bridge: SimBridge, listening: Listening) -> None:
        """On its way: what comes over one link keeps its order."""
        self._link_due = max(self._link_due, self.clock.now + self.clock.delay(0.01))
        self.later(self._link_due - self.clock.now, lambda: self._heard_of_bridge(bridge, listening))

    def _heard_of_bridge(self, bridge: SimBridge, listening: Listening) -> None:
        if self.bridged is not None:
            self.bridged.heard(bridge, listening)

    def _flush(self) -> None:
        if self.bridged is not None:
            self.bridged.end_turn()
        for change in self._take_changes():
            self._disconnect(change.slot)
            if isinstance(change, Open):
                self._connect(change)
        for slot, parcel in self.delivery.flush(self.clock.now):
            self.connections[slot].up.send(parcel)
        deadline = self.delivery.deadline()
        if deadline is not None and self._deadline is None:
            self._deadline = deadline
            self.later(max(0.0, deadline - self.clock.now), self._due)
        self.channels = {channel for channel in self.channels if not channel.listener.left}
        self.cluster.judge_worker(self)

    def _due(self) -> None:
        self._deadline = None
        self._flush()

    def _tick(self) -> None:
        self.later(TICK, self._tick)
        if not self.reads_map_rarely or self.clock.chance(0.1) or self.clock.calm:
            self.adopt(self.cluster.map)
        if self.running:
            self.delivery.tick(self.clock.now)
            self.turn.wake()

    def _take_changes(self) -> list[Any]:
        changes, self.delivery.sockets = self.delivery.sockets, []
        return changes

    def _connect(self, change: Open) -> None:
        self.connections[change.slot] = self.cluster.connect(self, change)
        self.clock.meet(
            "session", f"{change.session} of {self.name} with {change.slot} incarnation {change.incarnation}"
        )

    def _disconnect(self, slot: Slot) -> None:
        connection = self.connections.pop(slot, None)
        if connection is not None:
            connection.close(late=self.clock.delay(0.1))

    # Dying

    def die(self) -> None:
        super().die()
        if self._delivery is not None:
            self.cluster.note_through(self)
        for connection in self.cluster.network.of_worker(self.number):
            connection.open = False
            connection.up.cut(late=self.clock.delay(0.1))
            connection.down.parcels.clear()


def require(condition: bool, sentence: str) -> None:
    """A limit or rule of the cluster."""
    if not condition:
        raise Broken(sentence)
