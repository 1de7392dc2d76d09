"""A shard's rules towards one worker, parcel by parcel; `tests/gateway/test_delivery.py` has whole conversations."""

import gc
from collections.abc import Sequence

import pytest

from roost.broker.shard import MAX_DISBANDED, THROUGH_BYTES, THROUGH_DELAY, Outgoing, Shard
from roost.broker.shard_process import leave_old_objects_alone
from roost.shared.bus import (
    Batch,
    Disband,
    Form,
    Gather,
    Hello,
    Lane,
    Ping,
    Pong,
    Publish,
    Reset,
    ShardParcel,
    Subscribe,
    Subscribed,
    ToShard,
    ToWorker,
    Unsubscribe,
    Welcome,
    WorkerParcel,
    decode_worker_parcel,
)

WORKER = 7


class Conversation:
    """One worker's parcels to a shard, written by hand, and the shard's answers."""

    def __init__(self, awaited: Sequence[int] = (), window: int = 2**20) -> None:
        self.living = {WORKER, 8, *awaited}
        self.shard = Shard(awaited, self.living.__contains__, deliver_window=window)

    def say(self, session: int, counter: int, *items: ToShard, got: int = 0, worker: int = WORKER) -> None:
        self.shard.receive(worker, ShardParcel(session, counter, got, list(items)))

    def answers(self, now: float = 0.0) -> list[WorkerParcel]:
        """What the worker is sent now."""
        return [decode_worker_parcel(outgoing.parcel) for outgoing in self._turn(now) if outgoing.worker == WORKER]

    def items(self, now: float = 0.0) -> list[ToWorker]:
        return [item for parcel in self.answers(now) for item in parcel.items]

    def _turn(self, now: float) -> list[Outgoing]:
        return self.shard.turn(now)


def publish(number: int, size: int = 0) -> Publish:
    return Publish(number, "room:a", Form.JSON, "e", b'{"a":"%b"}' % (b"x" * size))


def test_nothing_that_ends_leaves_a_cycle_behind() -> None:
    """For a shard never looks for one among old objects."""
    talk = Conversation([9])
    gc.collect()
    gc.disable()
    try:
        for worker in (WORKER, 8, 9):
            members = tuple(Subscribe(one, f"room:{one % 7}", Lane(1 + one % 2)) for one in range(1, 50))
            talk.say(1, 0, Hello(members), worker=worker)
        talk.say(1, 1, publish(1), Subscribe(99, "room:a", Lane.V2))
        talk.items()
        talk.say(1, 1, *map(Unsubscribe, range(1, 40)), worker=8)
        talk.say(2, 0, Hello((Subscribe(1, "room:a", Lane.V2),)))
        talk.living.discard(9)
        talk.shard.bury_the_dead()
        talk.items()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_old_objects_are_never_looked_through() -> None:
    before, looks = gc.get_threshold(), []
    gc.callbacks.append(lambda _, about: looks.append(about["generation"]))
    try:
        leave_old_objects_alone()
        looks.clear()
        kept = [[number] for number in range(300_000)]
        assert looks
        assert max(looks) < 2, len(kept)
    finally:
        gc.callbacks.pop()
        gc.set_threshold(*before)
        gc.unfreeze()


def test_a_session_begins_with_hello() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello((Subscribe(1, "room:a", Lane.V2),)), Ping(), Subscribe(2, "room:a", Lane.V2))
    (answer,) = talk.answers()
    assert (answer.session, answer.counter) == (1, 0)
    assert answer.items == [Welcome(), Pong(), Subscribed(2)]
    assert talk.shard.table.subscriber_count() == 2


@pytest.mark.parametrize("items", [[], [Ping()], [publish(1)], [Ping(), Hello(())]])
def test_a_session_that_begins_otherwise_is_to_be_begun_anew(items: list[ToShard]) -> None:
    talk = Conversation()
    talk.say(1, 0, *items)
    assert talk.items() == [Reset()]
    talk.say(1, 1, Hello(()))
    assert talk.items() == [Reset()]
    assert talk.shard.table.subscriber_count() == 0


def test_nothing_of_a_broken_session_is_used() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello(()))
    talk.say(1, 2, Subscribe(1, "room:a", Lane.V2))
    talk.say(1, 1, Subscribe(2, "room:a", Lane.V2))
    assert Reset() in talk.items()
    assert talk.shard.table.subscriber_count() == 0
    talk.say(2, 0, Hello((Subscribe(3, "room:a", Lane.V2),)))
    assert talk.items() == [Welcome()]
    assert talk.shard.table.subscriber_count() == 1


def test_a_second_hello_breaks_the_session() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello(()), Hello((Subscribe(1, "room:a", Lane.V2),)))
    talk.answers()
    talk.say(1, 1, Ping())
    assert talk.items() == [Reset()]
    assert talk.shard.table.subscriber_count() == 0


def test_messages_of_an_older_session_are_ignored() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello(()))
    talk.say(2, 0, Hello(()))
    talk.answers()
    talk.say(1, 1, Subscribe(1, "room:a", Lane.V2))
    talk.say(1, 0, Hello((Subscribe(2, "room:a", Lane.V2),)))
    assert talk.answers() == []
    assert talk.shard.table.subscriber_count() == 0


def test_a_hello_replaces_what_was_there() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello((Subscribe(1, "room:a", Lane.V2), Subscribe(2, "room:b", Lane.V2))))
    talk.say(2, 0, Hello((Subscribe(2, "room:b", Lane.V2),)))
    assert [topic.name for topic in talk.shard.table.topics()] == ["room:b"]


def test_the_dead_are_not_heard() -> None:
    talk = Conversation()
    talk.living.clear()
    talk.say(1, 0, Hello((Subscribe(1, "room:a", Lane.V2),)))
    talk.say(2, 0, Ping())
    assert talk.answers() == []
    assert talk.shard.table.subscriber_count() == 0


def test_a_publish_is_accepted_once() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello((Subscribe(1, "room:a", Lane.V2),)), publish(1), publish(2))
    talk.answers()
    talk.say(2, 0, Hello((Subscribe(1, "room:a", Lane.V2),)), publish(1), publish(2), publish(3))
    talk.answers()
    assert talk.shard.fanout.published == 3


def test_subscriptions_go_on_while_the_shard_waits_for_its_workers() -> None:
    talk = Conversation(awaited=[WORKER, 9])
    talk.say(1, 0, Hello(()), Subscribe(1, "room:a", Lane.V2), publish(1))
    assert talk.items() == [Welcome(), Subscribed(1)]
    open_before = talk.shard.open
    talk.living.discard(9)
    talk.shard.bury_the_dead()
    assert (open_before, talk.shard.open) == (False, True)
    (batch,) = talk.items()
    assert isinstance(batch, Batch)
    assert [entry.number for entry in batch.entries] == [1]


def test_one_turn_is_one_batch_with_the_news_of_audiences_first() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello((Subscribe(1, "room:a", Lane.V2), Subscribe(2, "room:a", Lane.V1))), publish(1), publish(2))
    _, batch = talk.items()
    assert isinstance(batch, Batch)
    assert batch.turn == 1
    assert [type(news) for news in batch.audiences] == [Gather, Gather]
    assert [(entry.publisher, entry.number, len(entry.frames)) for entry in batch.entries] == [(7, 1, 2), (7, 2, 2)]


def test_publishes_are_counted_by_the_turn_that_handles_them() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello(()), publish(1), publish(2), publish(3))
    assert talk.shard.queued == 3
    talk.answers()
    talk.say(1, 1, publish(4))
    talk.answers()
    measured = talk.shard.batches.measured()
    assert (sum(measured.counts), measured.total) == (2, 4)
    assert talk.shard.queued == 0


def test_what_is_not_acknowledged_is_said_again_in_the_next_session() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello((Subscribe(1, "room:a", Lane.V2),)))
    talk.answers()
    for counter in (1, 2, 3):
        talk.say(1, counter, publish(counter))
        talk.answers()
    talk.say(2, 0, Hello((Subscribe(1, "room:a", Lane.V2),)), got=1)
    _, *again = talk.items()
    assert [batch.turn for batch in again if isinstance(batch, Batch)] == [2, 3]


def test_a_publish_is_through_when_the_slowest_has_acknowledged_it() -> None:
    talk = Conversation()
    for worker in (WORKER, 8):
        talk.say(1, 0, Hello((Subscribe(1, "room:a", Lane.V2),)), worker=worker)
    throughs = []
    for counter, (mine, others) in enumerate([(0, 0), (1, 0), (2, 1), (2, 2)], start=1):
        talk.say(1, counter, publish(counter), got=mine)
        talk.say(1, counter, got=others, worker=8)
        throughs += [answer.through for answer in talk.answers()]
    assert throughs == [0, 0, 1, 2]


def test_that_publishes_are_through_waits_a_little_for_something_to_travel_with() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello(()), publish(1))
    assert [answer.through for answer in talk.answers(now=5.0)] == [1]  # with the Welcome
    talk.say(1, 1, publish(2))
    assert talk.answers(now=10.0) == []
    assert talk.shard.deadline() == 10.0 + THROUGH_DELAY
    assert [answer.through for answer in talk.answers(now=10.0 + THROUGH_DELAY)] == [2]
    assert talk.shard.deadline() is None


def test_much_that_is_through_does_not_wait() -> None:
    talk = Conversation()
    talk.say(1, 0, Hello(()))
    talk.answers()
    talk.say(1, 1, publish(1, size=THROUGH_BYTES))
    assert [answer.through for answer in talk.answers()] == [1]


def test_a_worker_with_much_to_forget_is_told_without_a_broadcast() -> None:
    talk = Conversation()
    numbers = range(1, MAX_DISBANDED + 2)
    talk.say(1, 0, Hello(tuple(Subscribe(number, f"room:{number}", Lane.V2) for number in numbers)))
    talk.say(1, 1, *(Publish(number, f"room:{number}", Form.JSON, "e", b"{}") for number in numbers))
    talk.answers()
    talk.say(1, 2, *(Unsubscribe(number) for number in numbers[:-1]), got=1)
    assert talk.items() == []
    talk.say(1, 3, Unsubscribe(numbers[-1]), got=1)
    (batch,) = talk.items()
    assert isinstance(batch, Batch)
    assert [type(news) for news in batch.audiences] == [Disband] * len(numbers)
    assert batch.entries == ()
