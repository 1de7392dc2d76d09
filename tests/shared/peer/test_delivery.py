"""The delivery protocol between real workers' and real shards' rules, in memory: who gets what, once, and in order."""

import json
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from roost.shared.books import ShardBooks, WorkerBooks
from roost.shared.bus import Form, Lane, decode_letter
from roost.shared.frames import frame_payload
from roost.shared.peer.books import Books
from roost.shared.peer.delivery import Delivery
from roost.shared.peer.shard_link import MAX_DEAD, ShardLink
from roost.shared.shard_map import EMPTY, ShardMap, Slot
from tests.gateway.memory_bus import LONGEST_DELAY, Holder, MemoryBus, Subscriber

SLOTS = [Slot(0, 0), Slot(0, 1)]
shapes = pytest.mark.parametrize(("workers", "shards"), [(1, 1), (1, 2), (2, 1), (2, 2)])


def payloads(subscriber: Subscriber) -> list[object]:
    """The payloads of the V2 frames that a subscriber was handed."""
    return [json.loads(frame_payload(frame))[4] for frame in subscriber.frames]


def numbered(number: object) -> bytes:
    return json.dumps({"number": number}).encode()


class TestSubscribing:
    """W6: it stands when its shard has confirmed it, by number."""

    @shapes
    def test_a_subscription_stands_when_its_shard_has_confirmed_it(self, workers: int, shards: int) -> None:
        bus = MemoryBus(workers, shards)
        bus.settle()
        joined = [bus.workers[1 + client % workers].subscribe(client, "room:a") for client in range(6)]
        assert not any(subscriber.joined for subscriber in joined)
        bus.settle()
        assert [one.confirmations for one in joined] == [[one.subscription.number] for one in joined]
        assert all(one.subscription.standing for one in joined)
        assert len(bus.rows("room:a")) == 6

    def test_subscriptions_asked_for_before_the_session_stand_with_it(self) -> None:
        bus = MemoryBus(1, 2)
        joined = [bus.workers[1].subscribe(client, "room:a") for client in range(6)]
        assert not bus.workers[1].delivery.linked()
        bus.settle()
        assert bus.workers[1].delivery.linked()
        assert all(subscriber.joined for subscriber in joined)

    def test_a_confirmation_is_for_its_number_and_not_for_the_topic(self) -> None:
        """Joined, left and joined again before the first answer has come: that answer confirms nothing."""
        bus = MemoryBus(1, 1)
        bus.settle()
        worker, slot = bus.workers[1], Slot(0, 0)
        first = worker.subscribe(1, "room:a")
        bus.turn_worker(1)
        bus.carry_to_shard(1, slot)
        worker.unsubscribe(first)
        second = worker.subscribe(1, "room:a")
        bus.turn_shard(slot)
        bus.carry_to_worker(1, slot)
        assert (first.joined, second.joined) == (False, False)
        bus.settle()
        assert (first.joined, second.joined) == (False, True)
        assert bus.rows("room:a") == {(1, second.subscription.number)}

    def test_all_subscriptions_of_one_client_live_in_one_shard(self) -> None:
        bus = MemoryBus(2, 2)
        for client in range(8):
            for topic in ("room:a", "room:b", "room:c"):
                bus.workers[1 + client % 2].subscribe(client, topic)
        bus.settle()
        for worker in bus.workers.values():
            for subscription in worker.delivery.subscriptions.values():
                owner = bus.map.owner(0, subscription.client_hash)
                rows = {(row.worker, row.subscriber) for row in bus.shards[owner].table.rows(subscription.topic)}
                assert (worker.number, subscription.number) in rows
        assert all(shard.table.subscriber_count() for shard in bus.shards.values())

    def test_what_was_unsubscribed_is_in_no_table(self) -> None:
        bus = MemoryBus(2, 2)
        joined = [
            (worker, worker.subscribe(client, "room:a")) for worker in bus.workers.values() for client in range(4)
        ]
        bus.settle()
        for worker, subscriber in joined:
            worker.unsubscribe(subscriber)
            worker.delivery.unsubscribe(subscriber.subscription)  # a second time, which means nothing
        bus.settle()
        assert bus.rows("room:a") == set()
        assert all(shard.table.topic_count() == 0 for shard in bus.shards.values())

    def test_before_there_is_a_node_nothing_can_be_published(self) -> None:
        delivery = Delivery(1, EMPTY, 0.0, alive=lambda worker: True)
        assert not delivery.may_publish()
        assert not delivery.linked()
        assert delivery.flush(0.0) == []


class TestWhatElseASubscriptionWaitsFor:
    """Its shards are not all: in a cluster the bridge must listen too."""

    def test_it_stands_when_it_may(self) -> None:
        bus = MemoryBus(2, 2)
        worker, allowed = bus.workers[1], set[str]()
        worker.delivery.may_stand = lambda subscription: subscription.topic in allowed
        one, other = worker.subscribe(1, "room:a"), worker.subscribe(2, "room:b")
        bus.settle()
        bus.workers[2].publish("room:a", b"1")
        bus.settle()
        assert (one.joined, one.frames) == (False, [])
        allowed.add("room:a")
        for _ in range(2):
            bus._carry_out(worker, worker.delivery.look_again())
        assert (one.joined, other.joined) == (True, False)
        bus.workers[2].publish("room:a", b"2")
        bus.settle()
        assert len(one.frames) == 1

    def test_it_still_waits_for_its_shard(self) -> None:
        bus = MemoryBus(1, 1)
        worker = bus.workers[1]
        one = worker.subscribe(1, "room:a")
        bus._carry_out(worker, worker.delivery.look_again())
        assert not one.joined
        bus.settle()
        assert one.joined

    def test_a_shard_that_restarts_meanwhile_changes_nothing(self) -> None:
        bus = MemoryBus(1, 1)
        worker, may = bus.workers[1], [False]
        worker.delivery.may_stand = lambda _: may[0]
        one = worker.subscribe(1, "room:a")
        bus.settle()
        bus.restart_shard(next(iter(bus.map.slots())))
        bus.settle()
        assert not one.joined
        may[0] = True
        bus._carry_out(worker, worker.delivery.look_again())
        assert one.joined


class TestBroadcasting:
    """S5 and W7: exactly the right ones, in order."""

    @shapes
    def test_a_broadcast_reaches_all_subscribers_of_its_topic_in_order(self, workers: int, shards: int) -> None:
        bus = MemoryBus(workers, shards)
        here = [bus.workers[1 + client % workers].subscribe(client, "room:a") for client in range(6)]
        elsewhere = bus.workers[1].subscribe(7, "room:b")
        bus.settle()
        for number in range(5):
            bus.workers[1].publish("room:a", numbered(number))
        bus.settle()
        assert [payloads(subscriber) for subscriber in here] == [[{"number": n} for n in range(5)]] * 6
        assert elsewhere.frames == []
        assert all(worker.delivery.drained() for worker in bus.workers.values())

    @shapes
    def test_broadcast_from_leaves_out_the_sender_alone(self, workers: int, shards: int) -> None:
        bus = MemoryBus(workers, shards)
        sender = bus.workers[1].subscribe(1, "room:a")
        same_client = bus.workers[1].subscribe(1, "room:a")
        others = [bus.workers[1 + client % workers].subscribe(client, "room:a") for client in range(2, 8)]
        bus.settle()
        bus.workers[1].publish("room:a", numbered(1), but=sender)
        bus.settle()
        assert sender.frames == []
        assert [payloads(one) for one in (same_client, *others)] == [[{"number": 1}]] * 7

    def test_a_sender_is_no_one_elses_number(self) -> None:
        """Subscriber numbers are the worker's own: the other worker's subscriber of that number is not left out."""
        bus = MemoryBus(2, 1)
        sender, other = (bus.workers[number].subscribe(1, "room:a") for number in (1, 2))
        bus.settle()
        assert sender.subscription.number == other.subscription.number
        bus.workers[1].publish("room:a", numbered(1), but=sender)
        bus.settle()
        assert (sender.frames, len(other.frames)) == ([], 1)

    def test_each_lane_gets_its_frame_or_its_letter(self) -> None:
        bus = MemoryBus(1, 1)
        worker = bus.workers[1]
        v1 = worker.subscribe(1, "room:a", Lane.V1)
        v2 = worker.subscribe(2, "room:a", Lane.V2)
        code = worker.subscribe(3, "room:a", Lane.LETTER)
        intercepting = worker.subscribe(4, "room:a", Lane.V2, ("shout",))
        bus.settle()
        worker.publish("room:a", b'{"a":1}', event="shout")
        worker.publish("room:a", b'{"a":2}', event="murmur")
        bus.settle()
        assert [json.loads(frame_payload(frame)) for frame in v1.frames] == [
            {"event": event, "payload": {"a": n}, "ref": None, "topic": "room:a"}
            for event, n in (("shout", 1), ("murmur", 2))
        ]
        shout, murmur = ([None, None, "room:a", event, {"a": n}] for event, n in (("shout", 1), ("murmur", 2)))
        assert [json.loads(frame_payload(frame)) for frame in v2.frames] == [shout, murmur]
        assert [json.loads(frame_payload(frame)) for frame in intercepting.frames] == [murmur]
        assert [(topic, decode_letter(letter).event) for topic, letter in intercepting.letters] == [("room:a", "shout")]
        assert [decode_letter(letter).payload for _, letter in code.letters] == [b'{"a":1}', b'{"a":2}']
        assert code.frames == []

    def test_plain_messages_reach_code_whatever_its_lane(self) -> None:
        bus = MemoryBus(2, 2)
        channel = bus.workers[1].subscribe(1, "jobs", Lane.V2)
        mailbox = bus.workers[2].subscribe(2, "jobs", Lane.LETTER)
        bus.settle()
        bus.workers[1].delivery.publish("jobs", Form.PLAIN, "", b"\x01")
        bus.settle()
        for subscriber in (channel, mailbox):
            ((topic, letter),) = subscriber.letters
            opened = decode_letter(letter)
            assert (topic, opened.form, opened.payload) == ("jobs", Form.PLAIN, b"\x01")
            assert subscriber.frames == []

    def test_nothing_comes_after_leaving_even_if_it_is_under_way(self) -> None:
        bus = MemoryBus(1, 1)
        worker, slot = bus.workers[1], Slot(0, 0)
        leaving, staying = worker.subscribe(1, "room:a"), worker.subscribe(2, "room:a")
        bus.settle()
        for number in range(2):
            worker.publish("room:a", numbered(number))
            bus.exchange(slot, answer=number == 0)
        worker.unsubscribe(leaving)
        bus.settle()
        assert payloads(leaving) == [{"number": 0}]
        assert payloads(staying) == [{"number": 0}, {"number": 1}]

    def test_the_shard_counts_what_its_broadcasts_mean(self) -> None:
        bus = MemoryBus(2, 1)
        sender = bus.workers[1].subscribe(1, "room:a")
        for client in range(2, 5):
            bus.workers[1 + client % 2].subscribe(client, "room:a")
        bus.settle()
        bus.workers[1].publish("room:a", numbered(1))
        bus.workers[1].publish("room:a", numbered(2), but=sender)
        bus.workers[1].publish("nowhere", numbered(3))
        bus.settle()
        fanout = bus.shards[Slot(0, 0)].fanout
        assert (fanout.published, fanout.deliveries) == (3, 4 + 3)

    def test_a_publish_without_subscribers_is_through_all_the_same(self) -> None:
        bus = MemoryBus(2, 2)
        bus.settle()
        bus.workers[1].publish("nowhere", numbered(1))
        assert not bus.workers[1].delivery.drained()
        bus.settle()
        assert bus.workers[1].delivery.drained()


class TestWorkersThatDie:
    """S7: forgotten at once and altogether."""

    def test_a_dead_worker_is_in_no_table(self) -> None:
        bus = MemoryBus(2, 2)
        for worker in bus.workers.values():
            for client in range(6):
                worker.subscribe(client, "room:a")
        bus.settle()
        bus.kill_worker(2)
        bus.bury_the_dead()
        assert {worker for worker, _ in bus.rows("room:a")} == {1}
        assert len(bus.rows("room:a")) == 6

    def test_a_publish_is_not_through_before_its_receiver_has_it_or_is_dead(self) -> None:
        bus = MemoryBus(2, 1)
        publisher, slot = bus.workers[1], Slot(0, 0)
        bus.workers[2].subscribe(1, "room:a")
        bus.settle()
        publisher.publish("room:a", numbered(1))
        bus.turn_worker(1)
        bus.carry_to_shard(1, slot)
        bus.turn_shard(slot)
        bus.lose_to_worker(2, slot)
        bus.kill_worker(2)
        bus.settle()
        assert not publisher.delivery.drained()
        bus.bury_the_dead()
        bus.settle()
        assert publisher.delivery.drained()

    def test_what_a_dead_worker_had_published_reaches_the_others(self) -> None:
        bus = MemoryBus(2, 1)
        listener = bus.workers[1].subscribe(1, "room:a")
        bus.settle()
        bus.workers[2].publish("room:a", numbered(1))
        bus.turn_worker(2)
        bus.carry_to_shard(2, Slot(0, 0))
        bus.kill_worker(2)
        bus.bury_the_dead()
        bus.settle()
        assert payloads(listener) == [{"number": 1}]


class TestShardsThatRestart:
    """S1 and W3: a new incarnation is rebuilt from the workers, and nobody notices but by a pause."""

    @shapes
    def test_a_new_incarnation_gets_its_subscribers_back(self, workers: int, shards: int) -> None:
        bus = MemoryBus(workers, shards)
        joined = [bus.workers[1 + client % workers].subscribe(client, "room:a") for client in range(8)]
        bus.settle()
        rows = bus.rows("room:a")
        bus.restart_shard(Slot(0, 0))
        assert bus.rows("room:a") < rows
        bus.settle()
        assert bus.rows("room:a") == rows
        assert [len(one.confirmations) for one in joined] == [1] * 8
        bus.workers[1].publish("room:a", numbered(1))
        bus.settle()
        assert [payloads(one) for one in joined] == [[{"number": 1}]] * 8

    def test_it_handles_nothing_before_every_live_worker_has_greeted_it(self) -> None:
        bus = MemoryBus(2, 1)
        slot = Slot(0, 0)
        listener = bus.workers[2].subscribe(1, "room:a")
        bus.settle()
        bus.restart_shard(slot)
        bus.workers[1].publish("room:a", numbered(1))
        bus.turn_worker(1)
        bus.carry_to_shard(1, slot)
        bus.turn_shard(slot)
        assert not bus.shards[slot].open
        assert bus.shards[slot].fanout.published == 0
        bus.settle()
        assert bus.shards[slot].open
        assert payloads(listener) == [{"number": 1}]

    def test_it_does_not_wait_for_the_dead(self) -> None:
        bus = MemoryBus(2, 1)
        slot = Slot(0, 0)
        bus.settle()
        bus.restart_shard(slot)
        bus.kill_worker(2)
        bus.settle()
        assert not bus.shards[slot].open
        bus.bury_the_dead()
        assert bus.shards[slot].open

    def test_what_was_not_through_is_said_again_and_handed_over_once(self) -> None:
        """One receiver had acknowledged when the shard died, the other had not had it."""
        bus = MemoryBus(3, 1)
        slot = Slot(0, 0)
        publisher = bus.workers[1]
        had_it, missed_it = (bus.workers[number].subscribe(1, "room:a") for number in (2, 3))
        bus.settle()
        for number in range(3):
            publisher.publish("room:a", numbered(number))
        bus.turn_worker(1)
        bus.carry_to_shard(1, slot)
        bus.turn_shard(slot)
        bus.carry_to_worker(2, slot)
        assert (len(had_it.frames), len(missed_it.frames)) == (3, 0)
        bus.restart_shard(slot)
        bus.settle()
        assert [payloads(one) for one in (had_it, missed_it)] == [[{"number": n} for n in range(3)]] * 2
        assert publisher.delivery.drained()
        books = bus.workers[2].delivery.books
        assert (books.offered, books.handed, books.duplicate) == (6, 3, 3)

    def test_a_join_asked_of_the_dead_incarnation_is_answered_by_the_next(self) -> None:
        bus = MemoryBus(1, 1)
        bus.settle()
        waiting = bus.workers[1].subscribe(1, "room:a")
        bus.turn_worker(1)
        bus.restart_shard(Slot(0, 0))
        assert not waiting.joined
        bus.settle()
        assert waiting.joined

    def test_what_the_slowest_shard_has_not_handed_over_is_not_forgotten(self) -> None:
        bus = MemoryBus(1, 2)
        worker = bus.workers[1]
        listeners = [worker.subscribe(client, "room:a") for client in range(8)]
        bus.settle()
        worker.publish("room:a", numbered(1))
        for _ in range(3):
            bus.exchange(Slot(0, 0))
            bus.now += LONGEST_DELAY
        assert not worker.delivery.drained()
        bus.restart_shard(Slot(0, 1))
        bus.settle()
        assert [payloads(one) for one in listeners] == [[{"number": 1}]] * 8

    def test_what_was_through_stays_through(self) -> None:
        bus = MemoryBus(1, 1)
        worker = bus.workers[1]
        bus.settle()
        number = worker.publish("nowhere", numbered(1))
        bus.settle()
        assert worker.delivery.echoed(worker.hash_of(1), number)
        bus.restart_shard(Slot(0, 0))
        bus.settle()
        assert worker.delivery.echoed(worker.hash_of(1), number)

    @pytest.mark.parametrize("restarts", [0, 1])
    def test_a_worker_keeps_no_audience_that_its_shard_does_not_have(self, restarts: int) -> None:
        bus = MemoryBus(1, 1)
        worker, slot = bus.workers[1], Slot(0, 0)
        for topic in ("room:a", "room:b", "room:a"):
            leaving = worker.subscribe(1, topic)
            staying = worker.subscribe(2, topic)
            bus.settle()
            worker.publish(topic, numbered(1))
            bus.settle()
            worker.unsubscribe(leaving)
            if topic == "room:b":
                worker.unsubscribe(staying)
            for _ in range(restarts):
                bus.restart_shard(slot)
            bus.settle()
        worker.publish("room:a", numbered(2))
        bus.settle()
        assert bus.audiences(1, slot) == bus.audiences_in_table(1, slot) != {}


class TestBrokenSessions:
    """W4: a hole in the stream begins a new session, in which nothing is missing and nothing comes twice."""

    @pytest.mark.parametrize("direction", ["to the shard", "to the worker"])
    def test_a_hole_is_mended(self, direction: str) -> None:
        bus = MemoryBus(1, 1)
        worker, slot = bus.workers[1], Slot(0, 0)
        listener = worker.subscribe(1, "room:a")
        bus.settle()
        for number in range(4):
            worker.publish("room:a", numbered(number))
            bus.turn_worker(1)
            if number == 1 and direction == "to the shard":
                assert bus.lose_to_shard(1, slot)
            bus.carry_to_shard(1, slot)
            bus.turn_shard(slot)
            if number == 1 and direction == "to the worker":
                assert bus.lose_to_worker(1, slot)
        bus.settle()
        assert payloads(listener) == [{"number": n} for n in range(4)]
        assert worker.delivery.drained()
        assert worker.sessions[slot] == 2
        assert bus.shards[slot].fanout.published == 4

    def test_silence_is_noticed_by_asking(self) -> None:
        """The last batch was lost, and nothing after it shows the hole."""
        bus = MemoryBus(1, 1)
        worker, slot = bus.workers[1], Slot(0, 0)
        listener = worker.subscribe(1, "room:a")
        bus.settle()
        worker.publish("room:a", numbered(1))
        bus.turn_worker(1)
        bus.carry_to_shard(1, slot)
        bus.turn_shard(slot)
        bus.lose_to_worker(1, slot)
        bus.settle()
        assert listener.frames == []
        bus.now += 1.0
        worker.delivery.tick(bus.now)
        bus.settle()
        assert payloads(listener) == [{"number": 1}]

    def test_a_shard_that_gives_no_sign_of_life_is_greeted_again_and_ever_less_often(self) -> None:
        bus = MemoryBus(1, 1)
        worker, slot = bus.workers[1], Slot(0, 0)
        bus.settle()
        bus.now = began = 100.0
        session = worker.sessions[slot]
        pauses: list[float] = []
        while len(pauses) < 6:
            bus.now += 0.5
            worker.delivery.tick(bus.now)
            bus.turn_worker(1)
            if worker.sessions[slot] != session:
                session = worker.sessions[slot]
                pauses.append(bus.now - began)
                began = bus.now
        assert pauses == sorted(pauses)
        assert pauses[0] < 5.0
        assert pauses[-1] == pauses[-2] == 30.0


class TestWindows:
    """Section 8: what is not through is bounded, and an empty log or outbox admits one, however large."""

    def test_the_publish_window(self) -> None:
        bus = MemoryBus(1, 1, publish_window=200)
        worker = bus.workers[1]
        bus.settle()
        worker.publish("room:a", b'{"a":"%b"}' % (b"x" * 1000))
        assert not worker.delivery.may_publish()
        bus.settle()
        published = 0
        while worker.delivery.may_publish():
            worker.publish("room:a", numbered(published))
            published += 1
        assert 1 < published <= 200
        bus.settle()
        assert worker.delivery.may_publish()

    def test_the_deliver_window_stops_the_shard_until_the_worker_acknowledges(self) -> None:
        bus = MemoryBus(2, 1, deliver_window=300)
        publisher, slot = bus.workers[1], Slot(0, 0)
        listener = bus.workers[2].subscribe(1, "room:a")
        bus.settle()
        for number in range(50):
            publisher.publish("room:a", numbered(number))
        bus.turn_worker(1)
        bus.carry_to_shard(1, slot)
        for _ in range(50):
            bus.turn_shard(slot)
        assert 0 < bus.shards[slot].fanout.published < 20
        late = bus.workers[2].subscribe(2, "room:b")  # joins go on
        bus.turn_worker(2)
        bus.carry_to_shard(2, slot)
        bus.turn_shard(slot)
        bus.carry_to_worker(2, slot)
        assert late.joined
        bus.settle()
        assert payloads(listener) == [{"number": n} for n in range(50)]

    def test_an_entry_larger_than_the_window_goes_out_alone(self) -> None:
        bus = MemoryBus(1, 1, deliver_window=300)
        listener = bus.workers[1].subscribe(1, "room:a")
        bus.settle()
        for size in (1000, 2000):
            bus.workers[1].publish("room:a", b'{"a":"%b"}' % (b"x" * size))
        bus.settle()
        assert [len(frame) > 1000 for frame in listener.frames] == [True, True]


class TestCredit:
    """W5 and W8: who waits for credit keeps its place, and goes on by itself when credit comes back."""

    def waiting(self, *, window: int = 1) -> tuple[MemoryBus, Subscriber]:
        bus = MemoryBus(1, 2, publish_window=window)
        listener = bus.workers[1].subscribe(1, "room:a")
        bus.settle()
        delivery = bus.workers[1].delivery
        assert delivery.publish("room:a", Form.JSON, "e", numbered(0)) == 1
        for ticket in (1, 2, 3):
            assert delivery.publish("room:a", Form.JSON, "e", numbered(ticket)) == 0
            delivery.await_credit(ticket, "room:a", Form.JSON, "e", numbered(ticket))
        return bus, listener

    def test_who_waits_is_admitted_in_order(self) -> None:
        bus, listener = self.waiting()
        bus.settle()
        assert bus.workers[1].admitted == [(1, 2), (2, 3), (3, 4)]
        assert payloads(listener) == [{"number": n} for n in range(4)]
        assert bus.workers[1].delivery.drained()

    def test_one_that_waits_is_timed_from_when_it_was_to_be_published(self) -> None:
        bus, _ = self.waiting()
        delivery = bus.workers[1].delivery
        delivery.await_credit("timed", "room:a", Form.JSON, "e", numbered(4), trace=77)
        bus.settle()
        assert [(one.number, one.trace, one.recipients) for one in delivery.books.timed] == [(5, 77, 1)]

    def test_nobody_passes_those_who_wait(self) -> None:
        bus, _ = self.waiting()
        delivery = bus.workers[1].delivery
        delivery._log.cut(1)
        assert delivery._log.has_room()
        assert delivery.publish("room:a", Form.JSON, "e", numbered(9)) == 0

    def test_who_withdraws_publishes_nothing(self) -> None:
        bus, listener = self.waiting()
        for ticket in (1, 3, "unknown"):
            bus.workers[1].delivery.withdraw(ticket)
        bus.settle()
        assert bus.workers[1].admitted == [(2, 2)]
        bus.workers[1].delivery.withdraw(2)
        assert payloads(listener) == [{"number": 0}, {"number": 2}]

    def test_a_worker_with_waiting_publishes_is_not_drained(self) -> None:
        bus, _ = self.waiting()
        bus.workers[1].delivery._log.cut(1)
        assert not bus.workers[1].delivery.drained()

    def test_who_waits_for_the_change_of_epochs_is_admitted_after_it(self) -> None:
        bus, listener = self.waiting()
        bus.change_map({0: (1, 1), 1: (1,)}, publish=0)
        bus.settle()
        bus.change_map(bus.map.epochs, publish=1)
        bus.settle()
        assert payloads(listener) == [{"number": n} for n in range(4)]

    def test_before_there_is_a_node_publishes_wait_for_its_map(self) -> None:
        delivery = Delivery(1, EMPTY, 0.0, alive=lambda worker: True)
        delivery.await_credit("ticket", "room:a", Form.JSON, "e", b"{}")
        assert delivery.adopt(ShardMap(1, 1, 0, {0: (1,)}), 0.0).admitted == [("ticket", 1)]


class TestBooks:
    """Section 8: everything that a shard offered is somewhere."""

    def test_early_gone_duplicate_and_the_sender(self) -> None:
        bus = MemoryBus(2, 1)
        worker, slot = bus.workers[1], Slot(0, 0)
        staying, leaving, sender = (worker.subscribe(client, "room:a") for client in (1, 2, 3))
        bus.settle()
        early = worker.subscribe(4, "room:a")
        worker.publish("room:a", numbered(1), but=sender)
        bus.turn_worker(1)
        bus.carry_to_shard(1, slot)
        worker.unsubscribe(leaving)
        bus.restart_shard(slot)
        bus.settle()
        worker.publish("room:a", numbered(2))
        bus.settle()
        assert early.joined
        books = worker.delivery.books
        assert books.offered == books.handed + books.duplicate + books.gone + books.early
        assert len(staying.frames) == 2
        ledger = bus.shards[slot].books()
        assert (ledger.fanout, ledger.outbox, ledger.to_dead) == (ledger.acknowledged, 0, 0)

    def test_what_was_under_way_to_a_dead_worker_is_booked_so(self) -> None:
        bus = MemoryBus(2, 1)
        slot = Slot(0, 0)
        bus.workers[2].subscribe(1, "room:a")
        bus.settle()
        bus.workers[1].publish("room:a", numbered(1))
        bus.exchange(slot, answer=False)
        assert bus.shards[slot].books() == ShardBooks(1, 0, 1, 0)
        bus.kill_worker(2)
        bus.bury_the_dead()
        assert bus.shards[slot].books() == ShardBooks(1, 0, 0, 1)

    def test_a_transport_that_drops_is_not_delivered_to(self) -> None:
        books = Books()
        books.offered = books.handed = 5
        assert books.answer({"closed": 2}) == WorkerBooks(5, 3, 0, 0, 0, {"closed": 2})


class TestTheDead:
    """Of the dead, so many are remembered a slot, and nothing else of them is kept."""

    def test_those_dead_longest_are_forgotten(self) -> None:
        link = ShardLink(Slot(0, 0), 1, 0, Books())
        for publisher in range(2, 2 + MAX_DEAD + 3):
            link.seen[publisher] = publisher
            link.bury({publisher})
        assert link.seen == {}
        assert len(link.seen_of_dead) == MAX_DEAD
        assert min(link.seen_of_dead) == 5

    def test_the_dead_say_nothing_twice(self) -> None:
        """Repeated to the next incarnation by a publisher that then died."""
        bus = MemoryBus(2, 1)
        slot = Slot(0, 0)
        listener = bus.workers[1].subscribe(1, "room:a")
        bus.settle()
        bus.workers[2].publish("room:a", numbered(1))
        bus.turn_worker(2)
        bus.carry_to_shard(2, slot)
        bus.turn_shard(slot)
        bus.carry_to_worker(1, slot)
        bus.restart_shard(slot)
        bus.turn_worker(2)
        bus.carry_to_shard(2, slot)
        bus.kill_worker(2)
        bus.workers[1].delivery.tick(bus.now)
        bus.bury_the_dead()
        bus.settle()
        assert bus.workers[1].delivery.books.duplicate == 1
        assert payloads(listener) == [{"number": 1}]


class TestEchoes:
    """W10: what waits for an echo goes on when it has come by, or never will."""

    @shapes
    def test_whoever_waits_goes_on_right_after_the_echo(self, workers: int, shards: int) -> None:
        bus = MemoryBus(workers, shards)
        worker = bus.workers[1]
        channels = [(client, worker.subscribe(client, "room:a")) for client in range(4)]
        bus.settle()
        holders = []
        for client, subscriber in channels:
            for _ in range(2):
                number = worker.publish("room:a", numbered(client))
                assert not worker.delivery.echoed(worker.hash_of(client), number)
                holders.append(Holder(subscriber))
                worker.delivery.hold(worker.hash_of(client), number, holders[-1])
        bus.settle()
        # Each went on when its own publish had been handed over, and before the next one was.
        assert [len(holder.seen or ()) for holder in holders] == list(range(1, 9))
        assert all(worker.delivery.echoed(worker.hash_of(client), number) for client in range(4))

    def test_the_echo_is_that_of_the_clients_own_shard(self) -> None:
        bus = MemoryBus(1, 2)
        worker = bus.workers[1]
        clients = {bus.map.owner(0, worker.hash_of(client)): client for client in range(8)}
        assert clients.keys() == set(SLOTS)
        for client in clients.values():
            worker.subscribe(client, "room:a")
        bus.settle()
        number = worker.publish("room:a", numbered(1))
        bus.exchange(SLOTS[1])
        echoed = {slot: worker.delivery.echoed(worker.hash_of(client), number) for slot, client in clients.items()}
        assert echoed == {SLOTS[0]: False, SLOTS[1]: True}

    @pytest.mark.parametrize("reason", ["nobody subscribes", "the subscriber left"])
    def test_an_echo_that_never_comes_is_not_waited_for(self, reason: str) -> None:
        bus = MemoryBus(1, 2)
        worker = bus.workers[1]
        subscriber = worker.subscribe(1, "room:a")
        bus.settle()
        number = worker.publish("nowhere" if reason == "nobody subscribes" else "room:a", numbered(1))
        holder = Holder(subscriber)
        worker.delivery.hold(worker.hash_of(1), number, holder)
        worker.unsubscribe(subscriber)
        bus.settle()
        assert holder.seen == []

    def test_a_restarted_shard_still_tells_the_echo(self) -> None:
        bus = MemoryBus(1, 1)
        worker, slot = bus.workers[1], Slot(0, 0)
        subscriber = worker.subscribe(1, "room:a")
        bus.settle()
        number = worker.publish("room:a", numbered(1))
        holder = Holder(subscriber)
        worker.delivery.hold(worker.hash_of(1), number, holder)
        bus.turn_worker(1)
        bus.restart_shard(slot)
        assert holder.seen is None
        bus.settle()
        assert holder.seen == subscriber.frames != []


class TestEpochs:
    """W6 and W9: both owners confirm while there are two epochs, and a worker changes over when its log is empty."""

    def test_a_join_needs_the_owner_in_every_epoch(self) -> None:
        bus = MemoryBus(1, 1)
        bus.settle()
        bus.change_map({0: (1,), 1: (1, 1)}, publish=0)
        waiting = bus.workers[1].subscribe(1, "room:a")
        bus.turn_worker(1)
        bus.carry_to_shard(1, Slot(0, 0))
        bus.turn_shard(Slot(0, 0))
        bus.carry_to_worker(1, Slot(0, 0))
        assert not waiting.joined
        bus.settle()
        assert waiting.joined

    @pytest.mark.parametrize("slots", [1, 2, 5])
    def test_a_worker_changes_over_and_loses_nothing(self, slots: int) -> None:
        bus = MemoryBus(2, 1)
        listeners = [bus.workers[1 + client % 2].subscribe(client, "room:a") for client in range(8)]
        bus.settle()
        publisher = bus.workers[1]
        publisher.publish("room:a", numbered(0))
        bus.change_map({0: (1,), 1: (1,) * slots}, publish=0)
        bus.settle()
        publisher.publish("room:a", numbered(1))
        bus.change_map(bus.map.epochs, publish=1)
        assert publisher.delivery.epoch == 0
        assert not publisher.delivery.may_publish()
        bus.settle()
        assert publisher.delivery.epoch == 1
        publisher.publish("room:a", numbered(2))
        bus.settle()
        bus.change_map({1: (1,) * slots}, publish=1)
        publisher.publish("room:a", numbered(3))
        bus.settle()
        assert [payloads(one) for one in listeners] == [[{"number": n} for n in range(4)]] * 8

    def test_nothing_comes_while_only_one_owner_has_confirmed(self) -> None:
        """`Subscriber` fails if it were served before it stands, or after it left."""
        bus = MemoryBus(1, 1)
        worker = bus.workers[1]
        bus.settle()
        bus.change_map({0: (1,), 1: (1,)}, publish=0)
        bus.settle()
        early = worker.subscribe(1, "room:a")
        worker.publish("room:a", numbered(1))
        bus.exchange(Slot(0, 0))
        assert not early.joined
        bus.settle()
        worker.publish("room:a", numbered(2))
        bus.settle()
        assert payloads(early) == [{"number": 2}]

    def test_nothing_comes_out_of_either_epoch_after_leaving(self) -> None:
        bus = MemoryBus(2, 1)
        here, other = bus.workers[1], bus.workers[2]
        leaving = here.subscribe(1, "room:a")
        bus.settle()
        other.publish("room:a", numbered(1))
        bus.change_map({0: (1,), 1: (1,)}, publish=0)
        bus.settle()
        other.publish("room:a", numbered(2))  # on its way in the old epoch
        bus.exchange(Slot(0, 0), answer=False)
        bus.change_map(bus.map.epochs, publish=1)
        here.publish("room:a", numbered(3))  # in the new one already
        bus.exchange(Slot(1, 0))
        assert payloads(leaving) == [{"number": 1}, {"number": 3}]
        here.unsubscribe(leaving)
        bus.settle()
        assert other.delivery.drained()

    def test_an_older_map_is_ignored(self) -> None:
        bus = MemoryBus(1, 1)
        worker = bus.workers[1]
        old = bus.map
        bus.settle()
        bus.restart_shard(Slot(0, 0))
        bus.settle()
        sessions = dict(worker.sessions)
        worker.delivery.adopt(old, bus.now)
        bus.settle()
        assert worker.sessions == sessions


WORKERS = [1, 2]
TOPICS = ["room:a", "room:b"]

workers = st.sampled_from(WORKERS)
slots = st.sampled_from(SLOTS)
limits = st.integers(1, 3)


class Joined:
    """A subscriber with what the machine knows of it."""

    def __init__(self, worker: int, topic: str, subscriber: Subscriber, drained: dict[int, int]) -> None:
        self.worker = worker
        self.topic = topic
        self.subscriber = subscriber
        self.drained = drained
        """The last publish of each publisher that was known to be through when the join was asked."""
        self.ok_at: dict[int, int] | None = None
        """The last publish of each publisher when the join was answered."""
        self.left_at: dict[int, int] | None = None

    def standing(self) -> bool:
        return self.ok_at is not None and self.left_at is None


class DeliveryMachine(RuleBasedStateMachine):
    """Two workers and two shards that move in random order; parcels and restarts included, windows small.

    What each subscriber got is judged at the end (promises P1 to P5 of the delivery protocol); `Subscriber` itself
    fails when it is served before its ok or after its leave.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bus = MemoryBus(len(WORKERS), len(SLOTS), publish_window=300, deliver_window=300)
        self.joined: list[Joined] = []
        self.published: dict[int, list[tuple[int, str, int]]] = {worker: [] for worker in WORKERS}
        """For each publisher: number, topic, and the subscriber that was left out."""
        self.holders: list[tuple[Holder, Joined, int]] = []
        self.clients = count(1)

    # What clients do

    @rule(worker=workers, topic=st.sampled_from(TOPICS))
    def join(self, worker: int, topic: str) -> None:
        drained = {
            number: self.last(number) if self.bus.workers[number].delivery.drained() else 0 for number in WORKERS
        }
        subscriber = self.bus.workers[worker].subscribe(next(self.clients), topic)
        self.joined.append(Joined(worker, topic, subscriber, drained))

    @precondition(lambda self: any(one.left_at is None for one in self.joined))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.note_answers()
        one = data.draw(st.sampled_from([one for one in self.joined if one.left_at is None]))
        self.bus.workers[one.worker].unsubscribe(one.subscriber)
        one.left_at = {number: self.last(number) for number in WORKERS}

    @rule(worker=workers, topic=st.sampled_from(TOPICS), from_someone=st.booleans())
    def publish(self, worker: int, topic: str, from_someone: bool) -> None:
        delivery = self.bus.workers[worker].delivery
        if not delivery.may_publish():
            return
        self.note_answers()
        mine = [one for one in self.joined if (one.worker, one.topic) == (worker, topic) and one.standing()]
        sender = mine[0].subscriber if from_someone and mine else None
        payload = b'{"publisher":%d,"number":%d}' % (worker, delivery.published + 1)
        number = self.bus.workers[worker].publish(topic, payload, but=sender)
        self.published[worker].append((number, topic, sender.subscription.number if sender else 0))
        for one in mine:
            if one.subscriber is not sender:
                holder = Holder(one.subscriber)
                self.bus.workers[worker].delivery.hold(one.subscriber.subscription.client_hash, number, holder)
                self.holders.append((holder, one, number))

    # What moves

    @rule(worker=workers)
    def turn_worker(self, worker: int) -> None:
        self.bus.turn_worker(worker)

    @rule(slot=slots)
    def turn_shard(self, slot: Slot) -> None:
        self.bus.turn_shard(slot)

    @rule(worker=workers, slot=slots, limit=limits)
    def carry_to_shard(self, worker: int, slot: Slot, limit: int) -> None:
        self.bus.carry_to_shard(worker, slot, limit)

    @rule(worker=workers, slot=slots, limit=limits)
    def carry_to_worker(self, worker: int, slot: Slot, limit: int) -> None:
        self.bus.carry_to_worker(worker, slot, limit)
        self.note_answers()

    @rule(slot=slots, answer=st.booleans())
    def exchange(self, slot: Slot, answer: bool) -> None:
        self.bus.exchange(slot, answer=answer)
        self.note_answers()

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.1]))
    def time_passes(self, seconds: float) -> None:
        self.bus.now += seconds

    @rule(slot=slots)
    def restart_shard(self, slot: Slot) -> None:
        self.bus.restart_shard(slot)

    @rule()
    def settle(self) -> None:
        self.bus.settle()
        self.note_answers()

    # What is checked

    def teardown(self) -> None:
        self.settle()
        for one in self.joined:
            for publisher in WORKERS:
                self.check(one, publisher)
        for holder, one, number in self.holders:
            assert holder.seen is not None, "waits for an echo that never comes"
            if one.left_at is None:
                assert number in self.received(one, one.worker, len(holder.seen))
        assert all(worker.delivery.drained() for worker in self.bus.workers.values())
        for topic in TOPICS:
            truth = {
                (one.worker, one.subscriber.subscription.number)
                for one in self.joined
                if one.topic == topic and one.left_at is None
            }
            assert self.bus.rows(topic) == truth

    def check(self, one: Joined, publisher: int) -> None:
        """What a subscriber has of a publisher is a run without holes that begins and ends where it must."""
        sender = one.subscriber.subscription.number if one.worker == publisher else -1
        offered = [number for number, topic, but in self.published[publisher] if topic == one.topic and but != sender]
        got = self.received(one, publisher)
        if one.left_at is None:
            assert one.subscriber.joined
            assert one.ok_at is not None
            owed = [number for number in offered if number > one.ok_at[publisher]]
            assert got[len(got) - len(owed) :] == owed
        if got:
            begin = offered.index(got[0])
            assert got == offered[begin : begin + len(got)]
            assert got[0] > one.drained[publisher]
            assert one.left_at is None or got[-1] <= one.left_at[publisher]

    def received(self, one: Joined, publisher: int, limit: int | None = None) -> list[int]:
        frames = one.subscriber.frames[:limit]
        read = [json.loads(frame_payload(frame))[4] for frame in frames]
        return [payload["number"] for payload in read if payload["publisher"] == publisher]

    def last(self, publisher: int) -> int:
        return self.bus.workers[publisher].delivery.published

    def note_answers(self) -> None:
        for one in self.joined:
            if one.ok_at is None and one.subscriber.joined:
                one.ok_at = {number: self.last(number) for number in WORKERS}


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(max_examples=100, stateful_step_count=50)
