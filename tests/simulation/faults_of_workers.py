"""Faults of a worker: rules W1 to W11 taken away, one at a time."""

from collections import deque
from typing import Any

import msgspec

from roost.gateway.bus.interest import WorkerInterest
from roost.gateway.clients.program_order import ProgramOrder
from roost.shared.bus import Hello, Subscribed, Unsubscribe
from roost.shared.peer import shard_link
from roost.shared.peer.audience import Audience
from roost.shared.peer.delivery import Delivery
from roost.shared.peer.publish_log import PublishLog
from roost.shared.peer.shard_link import Echo, ShardLink
from tests.simulation import worker as worker_shell
from tests.simulation.planting import after, always, before, fault, instead
from tests.simulation.worker import SimWorker

# W6, in a cluster: the bridge must listen, too


@fault("W6 answered before the bridge listens", -6)
def answered_before_the_bridge_listens(replace: Any) -> None:
    replace(WorkerInterest, "stands", always(answer=True))


@fault("W6 a bridge that has not heard of the bucket", -6)
def what_was_named_was_heard(replace: Any) -> None:
    replace(WorkerInterest, "_is_heard", instead(lambda self, bucket: bucket in self._named))


# W7: what had come before is dropped


@fault("W7 no dedupe", 1)
def nothing_is_dropped(replace: Any) -> None:
    replace(ShardLink, "hand_over", before(lambda self, *_: self.seen.clear()))


@fault("W7 dedupe without slot", 1)
def dropped_whatever_the_slot(replace: Any) -> None:
    def share(self: Any, slot: Any, *_: Any) -> None:
        self._links[slot].seen = self.__dict__.setdefault("shared_seen", {})

    replace(Delivery, "_open", after(share))


@fault("W7 dedupe by incarnation", 1)
def dropped_by_incarnation(replace: Any) -> None:
    def begin(self: Any, _: int, incarnation: int, *__: Any) -> None:
        if incarnation != self.incarnation:
            self.seen.clear()

    replace(ShardLink, "begin", before(begin))


@fault("W7 seen dropped when its publisher dies", 231)
def the_dead_are_forgotten(replace: Any) -> None:
    replace(shard_link, "MAX_DEAD", lambda _: 0)


# W7: to whom, and that it is acknowledged


@fault("W7 deliver before ok", 1)
def handed_over_before_ok(replace: Any) -> None:
    replace(Audience, "_served", instead(lambda self: (one for one in self.members.values() if one is not None)))


@fault("W7 deliver after leave", 1)
def handed_over_after_leave(replace: Any) -> None:
    replace(Audience, "gone", always())


@fault("W7 deliver to those whom this batch made leave", 3)
def handed_over_to_the_departed(replace: Any) -> None:
    replace(worker_shell, "hand_over", lambda original: lambda handovers, turn, departed: original(handovers, turn, []))


@fault("W7 ACK never sent", 1)
def never_acknowledged(replace: Any) -> None:
    def parcel(original: Any) -> Any:
        def method(self: Any, now: float) -> Any:
            got = self._got
            if self._sent:
                self._got = 0
            try:
                return original(self, now)
            finally:
                self._got = got

        return method

    replace(ShardLink, "parcel", parcel)


@fault("W7 ACK waits for own credit", 1)
def acknowledged_with_credit_only(replace: Any) -> None:
    def flush(original: Any) -> Any:
        def method(self: Any, now: float) -> Any:
            if self._has_credit():
                return original(self, now)
            got = {link: link._got for link in self._links.values()}
            for link in got:
                if link._sent:
                    link._got = 0
            try:
                return original(self, now)
            finally:
                for link, turn in got.items():
                    link._got = turn

        return method

    replace(Delivery, "flush", flush)


# W1, W2: the map


@fault("W1 map read before the lock", 24)
def map_read_before_the_lock(replace: Any) -> None:
    def start(self: Any) -> None:
        shard_map = self.cluster.map

        def lock_late() -> None:
            self.lock()
            self.later(self.clock.delay(0.02), lambda: self.begin(shard_map))

        self.later(self.clock.delay(1.0), lock_late)

    replace(SimWorker, "start", instead(start))


@fault("W2 any map version", 3)
def older_maps_are_adopted(replace: Any) -> None:
    def adopt(self: Any, shard_map: Any, *_: Any) -> None:
        self._map = msgspec.structs.replace(self._map, version=shard_map.version - 1)

    replace(Delivery, "adopt", before(adopt))


# W3: how a session begins


@fault("W3 no subscriptions in HELLO", 1)
def hello_without_subscriptions(replace: Any) -> None:
    def begin(self: Any, link: Any, *_: Any) -> None:
        link.outgoing[0] = Hello(())

    replace(Delivery, "_begin_session", after(begin))


@fault("W3 only ok'd ones in HELLO", 1)
def hello_with_standing_only(replace: Any) -> None:
    def begin(self: Any, link: Any, *_: Any) -> None:
        said = link.outgoing[0].subscriptions
        link.outgoing[0] = Hello(tuple(one for one in said if self.subscriptions[one.subscriber].standing))

    replace(Delivery, "_begin_session", after(begin))


@fault("W3 HELLO without got", 1)
def hello_without_got(replace: Any) -> None:
    def parcel(original: Any) -> Any:
        def method(self: Any, now: float) -> Any:
            got = self._got
            if self._sent == 0:
                self._got = 0
            try:
                return original(self, now)
            finally:
                self._got = got

        return method

    replace(ShardLink, "parcel", parcel)


@fault("W3 log not repeated", 1)
def log_not_repeated(replace: Any) -> None:
    replace(PublishLog, "after", always(answer=()))


@fault("W3 log repeated newest first", 1)
def log_repeated_newest_first(replace: Any) -> None:
    replace(PublishLog, "after", lambda original: lambda self, through: reversed(list(original(self, through))))


# Counters and sessions: W4


@fault("W4 no PING", 1)
def no_ping(replace: Any) -> None:
    replace(ShardLink, "ping", always(answer=True))


@fault("W4 older sessions used by the worker", 3)
def older_sessions_used_by_the_worker(replace: Any) -> None:
    def receive(original: Any) -> Any:
        def method(self: Any, slot: Any, parcel: Any, now: float) -> Any:
            link = self._links.get(slot)
            if link is None or parcel.session == link.session:
                return original(self, slot, parcel, now)
            parcel.session, parcel.counter = link.session, link._received
            arrival = original(self, slot, parcel, now)
            link._received -= link._received > 0
            return arrival

        return method

    replace(Delivery, "receive", receive)


# W5, W8: the window and the log


@fault("W5 no publish window", 1)
def no_publish_window(replace: Any) -> None:
    replace(PublishLog, "has_room", always(answer=True))


@fault("W5 who waits for credit is admitted newest first", 1)
def waiting_newest_first(replace: Any) -> None:
    replace(PublishLog, "next_waiting", instead(lambda self: self._waiting.popitem()))


@fault("W8 log cut by the fastest slot", 2)
def log_cut_by_the_fastest(replace: Any) -> None:
    def cut(self: Any, arrival: Any) -> None:
        self._log.cut(max(link.through for link in self._publishing_links()))
        self._change_over(arrival)

    replace(Delivery, "_cut_log", instead(cut))


@fault("W8 credit not returned", 1)
def credit_not_returned(replace: Any) -> None:
    replace(Delivery, "_cut_log", always())


# Joins and leaves: W6


def _stands(self: Any, subscription: Any, arrival: Any) -> None:
    del self._waiting[subscription]
    subscription.standing = True
    for audience in subscription.audiences:
        audience.changed()
    arrival.confirmed.append(subscription)


def _ask_one_owner(replace: Any, choose: Any) -> None:
    def owners(self: Any, subscription: Any) -> Any:
        return [self._links[self._map.owner(choose(self._map.epochs), subscription.client_hash)]]

    def confirm(self: Any, subscription: Any, arrival: Any) -> None:
        if choose(self._map.epochs) in self._waiting[subscription]:
            _stands(self, subscription, arrival)

    replace(Delivery, "_owners", instead(owners))
    replace(Delivery, "_confirm", instead(confirm))


@fault("W6 SUB to the new owner only", 1)
def only_the_new_owner_is_asked(replace: Any) -> None:
    _ask_one_owner(replace, max)


@fault("W6 SUB to the old owner only", 1)
def only_the_old_owner_is_asked(replace: Any) -> None:
    _ask_one_owner(replace, min)


@fault("W6 ok at the first confirmation", 3)
def ok_at_the_first_confirmation(replace: Any) -> None:
    def confirm(self: Any, subscription: Any, arrival: Any) -> None:
        if self._waiting[subscription]:
            _stands(self, subscription, arrival)

    replace(Delivery, "_confirm", instead(confirm))


@fault("W6 ok by the publishing epoch alone", 218)
def ok_by_the_publishing_epoch(replace: Any) -> None:
    def confirm(self: Any, subscription: Any, arrival: Any) -> None:
        if self._map.publish in self._waiting[subscription]:
            _stands(self, subscription, arrival)

    replace(Delivery, "_confirm", instead(confirm))


@fault("W6 ok at once", 7)
def ok_at_once(replace: Any) -> None:
    def join(original: Any) -> Any:
        def method(self: Any, *arguments: Any, **named: Any) -> Any:
            channel = original(self, *arguments, **named)
            del self.delivery._waiting[channel.subscription]
            channel.subscription.standing = True
            channel.confirmed(channel.subscription)
            return channel

        return method

    replace(SimWorker, "join", join)


@fault("W6 confirmation by topic", 3)
def confirmed_by_topic(replace: Any) -> None:
    topics: dict[tuple[int, int], str] = {}

    def join(self: Any, client: Any, topic: str, *_: Any, **__: Any) -> None:
        topics[id(self.delivery), client.channels[topic].subscription.number] = topic

    def handle(self: Any, link: Any, item: Any, arrival: Any, _: float) -> None:
        if isinstance(item, Subscribed):
            topic = topics.get((id(self), item.subscriber))
            for subscription in [one for one in self._waiting if one.topic == topic]:
                self._stands(subscription, link.slot.epoch, arrival)

    replace(SimWorker, "join", after(join))
    replace(Delivery, "_handle", before(handle))


@fault("W6 no UNSUB", 1)
def no_unsubscribe(replace: Any) -> None:
    def unsubscribe(self: Any, subscription: Any) -> None:
        for link in self._links.values():
            link.outgoing = [item for item in link.outgoing if not isinstance(item, Unsubscribe)]

    replace(Delivery, "unsubscribe", after(unsubscribe))


# W9, W11: change-over and leaving


@fault("W9 change-over with a full log", 1)
def change_over_with_a_full_log(replace: Any) -> None:
    def change_over(self: Any, arrival: Any) -> None:
        if self.epoch == self._map.publish:
            return
        self.epoch = self._map.publish
        self._log._logged = deque()
        self._log.size = 0
        for link in self._links.values():
            if link.slot.epoch == self.epoch:
                link.through = self.published
            arrival.handovers.append(Echo(link, self.published))

    replace(Delivery, "_change_over", instead(change_over))


@fault("W11 worker leaves with a full log", 1)
def leaves_with_a_full_log(replace: Any) -> None:
    replace(SimWorker, "may_end", always(answer=True))


# W10: the echo


@fault("W10 nothing held", 1)
def nothing_is_held(replace: Any) -> None:
    replace(Delivery, "echoed", always(answer=True))


@fault("W10 echo by any slot", 2)
def echo_by_any_slot(replace: Any) -> None:
    def echoed(self: Any, _: int, number: int) -> bool:
        return any(link.echoed(number) for link in self._links.values())

    replace(Delivery, "echoed", instead(echoed))


@fault("W10 released by seen only", 1)
def released_by_seen_only(replace: Any) -> None:
    def release(original: Any) -> Any:
        return lambda self, number: original(self, min(number, self.seen.get(self._worker, 0)))

    replace(ShardLink, "echoed", instead(lambda self, number: number <= self._echoed))
    replace(ShardLink, "release", release)


@fault("W10 who comes later passes what is held", 29)
def what_is_held_is_passed(replace: Any) -> None:
    def then(original: Any) -> Any:
        def method(self: Any, action: Any, size: int = 0) -> None:
            if not self._awaited or self._uplink.echoed(self._client.hash, self._awaited):
                action()
            else:
                original(self, action, size)

        return method

    replace(ProgramOrder, "then", then)


# The books


@fault("Books: duplicates are not counted", 12)
def duplicates_not_counted(replace: Any) -> None:
    replace(ShardLink, "_count_duplicate", always())
