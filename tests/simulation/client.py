"""A simulated client with its channels: the worker's real program order and turn, and a transport that judges."""

from collections import defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from roost.gateway.clients.program_order import ProgramOrder
from roost.shared.bus import Form, Lane, decode_letter
from roost.shared.peer.audience import Subscription
from roost.shared.peer.shard_link import Frames
from roost.shared.phash2 import hash32
from tests.simulation.promises import Broken, Listener, Publication

if TYPE_CHECKING:
    from tests.simulation.worker import SimWorker

INTERCEPTED: Final = "secret"
REPLY: Final = b"reply"


class Client:
    """One connection: its transport keeps the order in which frames leave for it."""

    def __init__(self, worker: "SimWorker", number: int) -> None:
        self.worker = worker
        self.hash = hash32(worker.number << 32 | number)
        self.channels: dict[str, Channel] = {}
        """By topic, as in Phoenix."""
        self.unanswered = 0
        """Replies that were sent and have not left."""
        self.transport = self
        self.held = 0
        """Bytes that program order holds back."""
        self._collected: list[tuple[Channel | None, bytes]] = []
        self._order: dict[int, dict[str, int]] = {}
        """For each publisher and topic the last number that left for this client."""
        self._left: set[tuple[Listener, int]] = set()
        self._replies: dict[bytes, list[tuple[Publication, Listener]]] = {}
        self._reply_order: dict[Channel, deque[bytes]] = defaultdict(deque)

    # As the worker's transports

    def hold(self, size: int) -> None:
        self.held += size

    def release(self, size: int) -> None:
        self.held -= size

    def send(self, frame: bytes) -> None:
        """What a channel sends its own client."""
        self.collect(None, frame)

    def collect(self, channel: "Channel | None", data: bytes) -> None:
        """Joined at the end of the turn with what else is for this client."""
        if not self._collected:
            self.worker.turn.collect(self)
        self._collected.append((channel, data))

    def flush(self) -> None:
        collected, self._collected = self._collected, []
        for channel, data in collected:
            self.leaves(channel, data)

    def leaves(self, channel: "Channel | None", data: bytes) -> None:
        """Bytes leave for the client."""
        if channel is None:
            self._reply_leaves(data)
            return
        for payload in split_frames(data):
            publication = self.worker.cluster.publication(payload)
            order = self._order.setdefault(publication.publisher, {})
            last = max((number for topic, number in order.items() if topic != publication.topic), default=0)
            if publication.number < last:
                raise Broken(f"order across topics: {publication.number} of {publication.publisher} after {last}")
            order[publication.topic] = publication.number
            self._left.add((channel.listener, publication.serial))

    # Program order

    def owe_reply(self, channel: "Channel", publications: list[Publication]) -> bytes:
        """A reply that must leave after the echoes of these (P6)."""
        self.unanswered += 1
        reply = b"%b %d" % (REPLY, self.worker.cluster.next_serial())
        self._reply_order[channel].append(reply)
        self._replies[reply] = [
            (publication, other.listener)
            for publication in publications
            if (other := self.channels.get(publication.topic)) and other.echoes(publication)
        ]
        return reply

    def _reply_leaves(self, reply: bytes) -> None:
        self.unanswered -= 1
        order = next(order for order in self._reply_order.values() if reply in order)
        if order.popleft() != reply:
            raise Broken("P6: a reply before an earlier one of the same channel")
        for publication, listener in self._replies.pop(reply):
            if not listener.left and (listener, publication.serial) not in self._left:
                raise Broken(f"P6: a reply before the echo of {publication.number} to {listener}")


class Channel:
    """One channel of a client: an outlet and inbox for the worker's cores."""

    descriptor: Final = -1

    def __init__(self, client: Client, listener: Listener, subscription: Subscription) -> None:
        self.client = client
        self.listener = listener
        self.subscription = subscription
        self.waiting: Publication | None = None
        """Its code awaits credit for this."""
        self._then: list[Callable[[], None]] = []
        self._order: ProgramOrder | None = None
        self._issued: list[Publication] = []

    # As the cores see it

    def fall_behind(self, run: Frames, written: int) -> None:
        """The descriptor did not take it, as it never does here."""
        assert written == 0
        data = b"".join(run.frames)
        self._judge_frames(data)
        self.client.leaves(self, data)

    def send(self, run: Frames) -> None:
        data = b"".join(run.frames)
        self._judge_frames(data)
        self.client.collect(self, data)

    def letter(self, topic: str, letter: bytes) -> None:
        opened = decode_letter(letter)
        if not (self.listener.lane is Lane.LETTER or opened.form is Form.PLAIN or opened.event == INTERCEPTED):
            raise Broken(f"{self.listener} gets a letter that should have been a frame")
        cluster = self.client.worker.cluster
        cluster.hear(self.listener, opened.payload)
        if cluster.clock.chance(0.3):
            self.reply()

    def confirmed(self, subscription: Subscription) -> None:
        cluster, bridged = self.client.worker.cluster, self.client.worker.bridged
        if bridged is not None and not bridged.is_right_about(subscription.topic):
            raise Broken(f"{self.listener} is answered, and the bridge does not listen for it")
        self.listener.confirm(cluster.publishers)
        cluster.clock.note(f"ok for {self.listener}")

    def _judge_frames(self, data: bytes) -> None:
        for payload in split_frames(data):
            self.client.worker.cluster.hear(self.listener, payload)

    # What its code does

    def broadcast(self, topic: str, form: Form, event: str, *, to_self: bool) -> None:
        """Publish, at once or when there is credit; what the code does next waits for that."""
        if self.waiting:
            self._then.append(lambda: self.broadcast(topic, form, event, to_self=to_self))
            return
        sender = 0 if to_self or topic != self.listener.topic else self.listener.number
        worker = self.client.worker
        publication, number = worker.publish(topic, form, event, sender, self)
        if number:
            self.admitted(publication)
        else:
            self.waiting = publication

    def admitted(self, publication: Publication) -> None:
        """The publish has its number: the code goes on."""
        self.waiting = None
        self._issued = [*self._issued[-2:], publication]
        if not publication.sender and not self.listener.left:
            if self._order is None:
                self._order = ProgramOrder(self.client.worker.delivery, self.client)  # type: ignore[arg-type]
            self._order.published(publication.number)
        then, self._then = self._then, []
        for action in then:
            action()

    def withdraw(self) -> None:
        """The code that waits is cancelled."""
        if self.waiting:
            self.client.worker.withdraw(self, self.waiting)
            self.waiting = None
            self._then.clear()

    def reply(self) -> None:
        """Send the own client something that comes after all broadcasts before it."""
        if self.waiting:
            self._then.append(self.reply)
            return
        frame = self.client.owe_reply(self, self._issued)
        if self._order is None:
            self.client.send(frame)
        else:
            self._order.send(frame)

    def leave(self) -> None:
        """As a channel process does it: the own broadcasts under way still come before."""
        self.withdraw()
        if self.client.channels.get(self.listener.topic) is self:
            del self.client.channels[self.listener.topic]
        if self._order is None:
            self.unsubscribe()
        else:
            self._order.then(self.unsubscribe)

    def unsubscribe(self) -> None:
        if not self.listener.left:
            self.client.worker.unsubscribe(self.subscription)
            self.listener.left = True
            self.client.worker.cluster.clock.note(f"{self.listener} left")

    def echoes(self, publication: Publication) -> bool:
        """Whether the publication is to reach this client as a frame by way of this channel."""
        listener = self.listener
        return (
            listener.joined
            and not listener.left
            and publication.place >= listener.owed.get(publication.publisher, 0)
            and not publication.sender
            and listener.lane is not Lane.LETTER
            and not publication.plain
            and not (listener.intercepts and publication.secret)
        )


def split_frames(data: bytes) -> list[bytes]:
    """The payloads of broadcasts in whole text frames, of either serializer."""
    payloads = []
    at = 0
    while at < len(data):
        length = data[at + 1]
        at += 2
        if length == 126:
            length = int.from_bytes(data[at : at + 2])
            at += 2
        message = msgspec.json.decode(data[at : at + length])
        payload = message["payload"] if isinstance(message, dict) else message[4]
        payloads.append(b"%d" % payload)
        at += length
    return payloads
