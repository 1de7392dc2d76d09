"""The worker's side of the delivery protocol (rules W1 to W11): subscriptions, publishes, what arrives. Pure.

The worker owns the truth: its subscriptions, and a log of its publishes that are not yet *through*, which means
handed over by every worker that had to. A shard can be rebuilt from both, so every session with a shard, for whatever
reason it was begun, starts in the same way: all subscriptions, then the log again. What had arrived already is known
by slot, publisher and number, and is dropped.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from roost.shared.bus import (
    Batch,
    Form,
    Hello,
    Lane,
    Publish,
    Reach,
    Reset,
    Subscribe,
    Subscribed,
    ToShard,
    ToWorker,
    Unsubscribe,
    Welcome,
    WorkerParcel,
    encode_item,
)
from roost.shared.peer.audience import Subscription
from roost.shared.peer.books import Books
from roost.shared.peer.publish_log import PUBLISH_WINDOW, PublishLog, Waiting
from roost.shared.peer.shard_link import Echo, Handover, ShardLink
from roost.shared.shard_map import ShardMap, Slot

if TYPE_CHECKING:
    import msgspec


class Open(NamedTuple):
    """Connect to this incarnation of a slot; an older socket of the slot is dropped with all that it holds."""

    slot: Slot
    incarnation: int
    session: int


class Close(NamedTuple):
    """Drop the socket of a slot that is no more."""

    slot: Slot


class Outgoing(NamedTuple):
    """Send a parcel to the shard that holds a slot."""

    slot: Slot
    parcel: bytes


class Arrival:
    """What a parcel brought about, in the order in which it is to be carried out."""

    __slots__ = ("admitted", "confirmed", "handovers")

    def __init__(self) -> None:
        self.confirmed: list[Subscription] = []
        """Subscriptions that stand now."""
        self.handovers: list[Handover] = []
        self.admitted: list[tuple[Any, int]] = []
        """Tickets of publishes that waited for credit, with the numbers that these have now."""


class Delivery:
    """The state machine of one worker. Its owner carries sockets, time and the map to it."""

    def __init__(
        self,
        worker: int,
        shard_map: ShardMap,
        now: float,
        alive: Callable[[int], bool],
        *,
        publish_window: int = PUBLISH_WINDOW,
    ) -> None:
        """Open a session with every slot. The worker must hold its life lock before it reads the map (W1).

        `alive` is the oracle, asked by the number of a worker that has published.
        """
        self.worker = worker
        self.books = Books()
        self.epoch = shard_map.publish
        """The epoch in which this worker publishes."""
        self.subscriptions: dict[int, Subscription] = {}
        self.departed: list[Subscription] = []
        """Who stood and has left; its owner empties it before it hands over what arrived."""
        self.sockets: list[Open | Close] = []
        """What is to be done to sockets; the owner takes it before it sends."""
        self.ticked = now
        """The time of the last `tick`, for whoever notes times and has no need of exact ones: it is one object."""
        self.may_stand: Callable[[Subscription], bool] = lambda _: True
        """What else a subscription waits for, once its shards have confirmed it; see `look_again`."""
        self.published = 0
        """The number of the last publish."""
        self._map = shard_map
        self._alive = alive
        self._log = PublishLog(publish_window)
        self._links: dict[Slot, ShardLink] = {}
        self._waiting: dict[Subscription, set[int]] = {}
        """Subscriptions that do not stand yet, with the epochs that have confirmed them."""
        self._sessions = count(1)
        self._numbers = count(1)
        for slot, incarnation in shard_map.slots().items():
            self._open(slot, incarnation, now)

    # Subscriptions

    def subscribe(
        self, client_hash: int, topic: str, lane: Lane, intercepts: tuple[str, ...], outlet: Any, inbox: Any
    ) -> Subscription:
        """Ask the owner in every epoch of the map; `Arrival.confirmed` tells when it stands (W6)."""
        number = next(self._numbers)
        subscription = Subscription(number, client_hash, topic, lane, intercepts, outlet, inbox, self.ticked)
        self.subscriptions[subscription.number] = subscription
        self._waiting[subscription] = set()
        for link in self._owners(subscription):
            link.outgoing.append(_subscribe(subscription))
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Nothing is handed over any more, from now on."""
        if self.subscriptions.pop(subscription.number, None) is None:
            return
        self._waiting.pop(subscription, None)
        if subscription.standing:
            self.departed.append(subscription)
        for audience in subscription.audiences:
            audience.gone(subscription.number)
        for link in self._owners(subscription):
            link.outgoing.append(Unsubscribe(subscription.number))

    # Publishing

    def may_publish(self) -> bool:
        """Whether there is credit: nobody who waits, an epoch to publish in, and room in the window (W5)."""
        return not self._log.waiting and self._has_credit()

    def publish(
        self,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
        trace: int = 0,
    ) -> int:
        """Publish to all subscribers of the topic but the sender. Returns the publish's number, 0 without credit.

        `trace`: when that is, if it is to be timed.
        """
        if not self.may_publish():
            return 0
        return self._publish(topic, form, event, payload, sender, reach, trace)

    def await_credit(
        self,
        ticket: Any,
        topic: str,
        form: Form,
        event: str,
        payload: bytes,
        sender: int = 0,
        reach: Reach = Reach.CLUSTER,
        trace: int = 0,
    ) -> None:
        """Publish as soon as there is credit, after all that wait; `Arrival.admitted` tells the ticket its number."""
        self._log.wait(ticket, Waiting(topic, form, event, payload, sender, reach, trace))

    def withdraw(self, ticket: Any) -> None:
        """Do not publish what waits under this ticket. Nothing happens if it was admitted before."""
        self._log.withdraw(ticket)

    def echoed(self, client_hash: int, number: int) -> bool:
        """Whether a client has had this worker's publish of that number, as far as it ever will (W10)."""
        return self._links[self._map.owner(self.epoch, client_hash)].echoed(number)

    def hold(self, client_hash: int, number: int, holder: Any) -> None:
        """Have `holder.released()` called when `echoed` has become true."""
        self._links[self._map.owner(self.epoch, client_hash)].hold(number, holder)

    # What happens

    def adopt(self, shard_map: ShardMap, now: float) -> Arrival:
        """A map was read or pushed; an older one is ignored (W2)."""
        arrival = Arrival()
        if shard_map.version <= self._map.version:
            return arrival
        self._map = shard_map
        slots = shard_map.slots()
        for slot in [slot for slot in self._links if slot not in slots]:
            self._links.pop(slot).disband()
            self.sockets.append(Close(slot))
        for slot, incarnation in slots.items():
            link = self._links.get(slot)
            if link is None or link.incarnation != incarnation:
                self._open(slot, incarnation, now)
        self._change_over(arrival)
        self._confirm_waiting(arrival)
        self._admit(arrival)
        return arrival

    def look_again(self) -> Arrival:
        """To be called when `may_stand` may answer otherwise than before."""
        arrival = Arrival()
        self._confirm_waiting(arrival)
        return arrival

    def receive(self, slot: Slot, parcel: WorkerParcel, now: float) -> Arrival:
        """A parcel came from the shard that holds a slot."""
        arrival = Arrival()
        link = self._links.get(slot)
        if link is None or parcel.session != link.session:
            return arrival
        if not link.hear(parcel.counter, parcel.through, now):
            self._begin_session(link, link.incarnation, now)
            return arrival
        for item in parcel.items:
            self._handle(link, item, arrival, now)
        self._cut_log(arrival)
        if link.waits_for(link.through):
            arrival.handovers.append(Echo(link, link.through))
        self._admit(arrival)
        return arrival

    def tick(self, now: float) -> None:
        """To be called about once a second: sign-of-life questions, new sessions where none was given; burials."""
        self.ticked = now
        publishers = {publisher for link in self._links.values() for publisher in link.seen}
        dead = {publisher for publisher in publishers if publisher != self.worker and not self._alive(publisher)}
        for link in self._links.values():
            if dead:
                link.bury(dead)
            if not link.ping(now):
                self._begin_session(link, link.incarnation, now)

    def flush(self, now: float) -> list[Outgoing]:
        """What is to be sent at the end of a turn."""
        outgoing = []
        for slot, link in self._links.items():
            parcel = link.parcel(now)
            if parcel is not None:
                outgoing.append(Outgoing(slot, parcel))
        return outgoing

    def deadline(self) -> float | None:
        """When `flush` has something to say even if nothing happens."""
        return min((due for link in self._links.values() if (due := link.deadline()) is not None), default=None)

    def linked(self) -> bool:
        """Whether every shard has answered our HELLO."""
        return bool(self._links) and all(link.welcomed for link in self._links.values())

    @property
    def shards(self) -> int:
        """How many shards a publish goes to."""
        return sum(1 for _ in self._publishing_links())

    @property
    def log_bytes(self) -> int:
        """Bytes of publishes that are not through."""
        return self._log.size

    @property
    def waiting_publishes(self) -> int:
        """How many publishes wait for credit."""
        return self._log.waiting

    def drained(self) -> bool:
        """Whether all that was published is through, and nothing waits to be (W11)."""
        return not self._log and not self._log.waiting

    def owner(self, subscription: Subscription) -> Slot:
        """The slot that serves a subscription."""
        return self._map.owner(self.epoch, subscription.client_hash)

    # Sessions

    def _open(self, slot: Slot, incarnation: int, now: float) -> None:
        link = self._links.get(slot)
        if link is None:
            link = self._links[slot] = ShardLink(slot, self.worker, self.published, self.books)
        self._begin_session(link, incarnation, now)

    def _begin_session(self, link: ShardLink, incarnation: int, now: float) -> None:
        """All subscriptions of the slot, then the log again above what is through there (W3)."""
        session = next(self._sessions)
        slot, owner = link.slot, self._map.owner
        mine = [one for one in self.subscriptions.values() if owner(slot.epoch, one.client_hash) == slot]
        items: list[ToShard | msgspec.Raw] = [Hello(tuple(map(_subscribe, mine)))]
        if link.slot.epoch == self.epoch:
            items += self._log.after(link.through)
        link.greeted = [one for one in mine if not one.standing]
        link.begin(session, incarnation, items, now)
        self.sockets.append(Open(link.slot, incarnation, session))

    def _handle(self, link: ShardLink, item: ToWorker, arrival: Arrival, now: float) -> None:
        match item:
            case Batch():
                arrival.handovers += link.hand_over(item, self.subscriptions, now)
            case Subscribed(number):
                if subscription := self.subscriptions.get(number):
                    self._stands(subscription, link.slot.epoch, arrival)
            case Welcome():
                link.welcome()
                for subscription in link.greeted:
                    self._stands(subscription, link.slot.epoch, arrival)
                link.greeted = []
            case Reset():
                self._begin_session(link, link.incarnation, now)

    def _stands(self, subscription: Subscription, epoch: int, arrival: Arrival) -> None:
        confirmed = self._waiting.get(subscription)
        if confirmed is not None:
            confirmed.add(epoch)
            self._confirm(subscription, arrival)

    def _confirm_waiting(self, arrival: Arrival) -> None:
        for subscription in list(self._waiting):
            self._confirm(subscription, arrival)

    def _confirm(self, subscription: Subscription, arrival: Arrival) -> None:
        """It stands when the owner in every epoch that is in the map now has confirmed it (W6), and `may_stand`."""
        if self._waiting[subscription] >= self._map.epochs.keys() and self.may_stand(subscription):
            del self._waiting[subscription]
            subscription.standing = True
            for audience in subscription.audiences:
                audience.changed()
            arrival.confirmed.append(subscription)

    # The log

    def _has_credit(self) -> bool:
        return self.epoch == self._map.publish and self.epoch >= 0 and self._log.has_room()

    def _publish(
        self, topic: str, form: Form, event: str, payload: bytes, sender: int, reach: Reach, trace: int = 0
    ) -> int:
        self.published += 1
        item, size = encode_item(Publish(self.published, topic, form, event, payload, sender, trace, reach))
        self._log.append(self.published, item, size)
        for slot, link in self._links.items():
            if slot.epoch == self.epoch:
                link.outgoing.append(item)
        return self.published

    def _admit(self, arrival: Arrival) -> None:
        """Publish what waits, in order, as far as there is credit."""
        while self._log.waiting and self._has_credit():
            ticket, waiting = self._log.next_waiting()
            arrival.admitted.append((ticket, self._publish(*waiting)))

    def _cut_log(self, arrival: Arrival) -> None:
        """Forget what is through at every slot of the epoch (W8)."""
        if not self._log:
            return
        self._log.cut(min(link.through for link in self._publishing_links()))
        self._change_over(arrival)

    def _change_over(self, arrival: Arrival) -> None:
        """Publish in the epoch that the map names, once nothing is under way in the old one (W9)."""
        if self.epoch == self._map.publish or self._log:
            return
        self.epoch = self._map.publish
        for link in self._links.values():
            if link.slot.epoch == self.epoch:
                link.through = self.published
            arrival.handovers.append(Echo(link, self.published))

    def _publishing_links(self) -> Iterator[ShardLink]:
        return (link for slot, link in self._links.items() if slot.epoch == self.epoch)

    def _owners(self, subscription: Subscription) -> list[ShardLink]:
        """The link to the owner in every epoch of the map."""
        owner = self._map.owner
        return [self._links[owner(epoch, subscription.client_hash)] for epoch in self._map.epochs]


def _subscribe(subscription: Subscription) -> Subscribe:
    return Subscribe(subscription.number, subscription.topic, subscription.lane, subscription.intercepts)
