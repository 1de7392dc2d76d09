"""What a bridge decides: who is there, what is heard, when a connection is deaf, when what waits may go."""

from typing import Any

import msgspec

from roost.broker.bridge.bridge import REJOIN_BEATS, Bridge
from roost.broker.bridge.canary import DEAF_BEATS
from roost.broker.bridge.linkage import Linkage
from roost.broker.bridge.members import DOWN_BEATS, MAX_GONE, MAX_NODES
from roost.broker.bridge.outgoing import ToSend
from roost.broker.bridge.subjects import Subjects
from roost.broker.bridge.wire import Beat, Directs, Goodbye, Message, Origin, Probe, Probed, Publishes, decode, encode
from roost.shared.bus import Form
from roost.shared.cluster import EngineState, Interest, Listening, MessagesLost, NodeDown, NodeUp
from roost.shared.crossing import (
    Crossing,
    bucket_of,
    encode_crossing,
    encode_direct,
    pack_buckets,
    unpack_buckets,
)

SUBJECTS = Subjects("roost")
ROOM = bucket_of("room")
MAX_MESSAGE = 64 * 1024


def origin(node: str = "b", node_id: str = "", run: int = 1) -> Origin:
    return Origin(node, node_id or f"id of {node}", run)


def beat(speaker: Origin, numbers: dict[int, int] | None = None, **more: Any) -> Beat:
    return Beat(speaker, 1, 1, 1, "0.1", numbers or {}, more.pop("directs", {}), **more)


def publishes(speaker: Origin, first: int, count: int = 1) -> Publishes:
    crossings = [Crossing("room", Form.JSON, str(first + at), b"{}") for at in range(count)]
    return Publishes(speaker, ROOM, first, crossings)


class Rig:
    """A bridge with a clock."""

    def __init__(self, *, again: bool = False) -> None:
        self.bridge = Bridge(origin("a"), SUBJECTS, 10**6, "0.1", 0.0, again=again)
        self.bridge.accepted()
        self.now = 0.0
        self.listening: Listening

    def connect(self, *, spreads: bool = False) -> None:
        self.bridge.connected(MAX_MESSAGE, self.now, spreads=spreads)
        self.bridge.subscribed(self.bridge.changes().subscribe)
        self.bridge.resubscribed(self.now)

    def want(self, *buckets: int, version: int = 1) -> None:
        self.bridge.interest(Interest(5, version, pack_buckets(set(buckets))))

    def hear(self, *messages: Message) -> None:
        for message in messages:
            self.bridge.received(encode(message), self.now)

    def send(self) -> list[ToSend]:
        """The next batch, which the engine takes; beats come back."""
        self.now += 0.001
        batch = self.bridge.batch(self.now)
        self.bridge.confirmed()
        for subject, data in batch:
            if subject == SUBJECTS.everybody:
                self.bridge.received(data, self.now)
        return batch

    def listens_to(self, bucket: int) -> bool:
        if (told := self.bridge.listening()) is not None:
            self.listening = told
        return bucket in unpack_buckets(self.listening.buckets)

    def tick(self) -> bool:
        self.now += 1
        return self.bridge.tick(self.now)

    def publish(self) -> None:
        self.bridge.tapped(encode_crossing("room", Form.JSON, "e", b"{}"))

    def kinds(self) -> list[type[Message]]:
        return [type(decode(data)) for _, data in self.send()]

    def delivered(self) -> list[str]:
        deliveries, self.bridge.deliveries = self.bridge.deliveries, []
        return [crossing.event for crossing, _ in deliveries]


class TestMembers:
    def test_a_node_is_there_from_its_first_beat_until_its_goodbye(self) -> None:
        rig = Rig()
        rig.connect()
        rig.hear(beat(origin()), beat(origin()))
        assert rig.bridge.take_news() == [NodeUp("b", "id of b")]
        rig.hear(Goodbye(origin()))
        assert rig.bridge.take_news() == [NodeDown("b", "id of b")]
        rig.hear(beat(origin()))
        assert rig.bridge.take_news() == []
        rig.hear(beat(origin(run=2)))
        assert rig.bridge.take_news() == [NodeUp("b", "id of b")]

    def test_a_silent_node_is_down_after_beats_of_our_own_however_long_they_take(self) -> None:
        rig = Rig()
        rig.connect()
        rig.hear(beat(origin()))
        rig.bridge.take_news()
        rig.now += 3600
        for _ in range(DOWN_BEATS - 1):
            rig.tick()
        assert rig.bridge.take_news() == []
        rig.tick()
        assert rig.bridge.take_news() == [NodeDown("b", "id of b")]
        rig.hear(beat(origin()))
        assert rig.bridge.take_news() == [NodeUp("b", "id of b")]

    def test_a_bridge_that_was_started_anew_may_have_lost_what_nobody_can_count(self) -> None:
        rig = Rig()
        rig.connect()
        rig.hear(beat(origin()), beat(origin(run=2)))
        assert MessagesLost("b", None) in rig.bridge.take_news()
        rig.hear(beat(origin(run=1), {ROOM: 5}))
        assert rig.bridge.take_news() == []

    def test_what_was_published_while_this_node_had_no_bridge_cannot_be_counted(self) -> None:
        rig = Rig(again=True)
        rig.connect()
        rig.send()
        rig.hear(beat(origin()))
        assert rig.bridge.take_news() == [MessagesLost("b", None), NodeUp("b", "id of b")]

    def test_another_node_of_our_name_is_noticed_and_our_own_last_life_is_not(self) -> None:
        rig = Rig()
        rig.connect()
        rig.hear(beat(origin("a", run=0)))
        assert rig.bridge.namesake is None
        rig.hear(beat(origin("a", "another id")))
        assert rig.bridge.namesake == origin("a", "another id")

    def test_who_is_on_trial_is_answered_and_is_none_of_the_nodes(self) -> None:
        rig = Rig()
        rig.connect()
        rig.send()
        rig.hear(beat(origin(), asks=True, on_trial=True), beat(origin("a", "another id"), on_trial=True))
        assert rig.bridge.take_news() == []
        assert rig.bridge.namesake is None
        assert rig.kinds() == [Beat]

    def test_of_two_on_trial_at_the_same_time_one_gives_way(self) -> None:
        first, second = (Bridge(origin("a", node_id), SUBJECTS, 10**6, "", 0.0, again=False) for node_id in "xy")
        for one, other in ((first, second), (second, first)):
            one.connected(MAX_MESSAGE, 0.0)
            one.resubscribed(0.0)
            (sent,) = one.batch(0.0)
            other.received(sent.data, 0.0)
        assert (first.namesake, second.namesake) == (None, origin("a", "x"))

    def test_who_is_on_trial_publishes_nothing(self) -> None:
        rig = Rig()
        rig.bridge.on_trial = True
        rig.publish()
        rig.connect()
        assert rig.kinds() == [Beat]
        assert not rig.bridge.has_more()
        rig.bridge.accepted()
        assert rig.kinds() == [Beat]
        assert rig.kinds() == [Publishes]

    def test_of_nodes_that_have_gone_so_many_are_remembered(self) -> None:
        rig = Rig()
        rig.connect()
        for number in range(MAX_GONE + 10):
            rig.hear(beat(origin(f"n{number}")), Goodbye(origin(f"n{number}")))
        assert len(rig.bridge.members.all()) == MAX_GONE

    def test_so_many_nodes_are_known_and_no_more(self) -> None:
        rig = Rig()
        rig.connect()
        for number in range(MAX_NODES + 10):
            rig.hear(beat(origin(f"n{number}")))
        assert len(rig.bridge.members.up()) == MAX_NODES
        assert rig.bridge.unreadable == 10
        assert rig.bridge.complaint == f"a message of n{MAX_NODES}, while {MAX_NODES} other nodes are there"
        rig.hear(Goodbye(origin("n0")), beat(origin("another")))
        assert "another" in rig.bridge.members.up()

    def test_who_never_beats_is_forgotten_like_those_that_have_gone(self) -> None:
        rig = Rig()
        rig.connect()
        for number in range(MAX_GONE + 10):
            rig.hear(publishes(origin(f"n{number}"), 1))
        assert len(rig.bridge.members.all()) == MAX_GONE

    def test_an_earlier_life_of_our_own_is_none_of_the_others(self) -> None:
        rig = Rig()
        rig.connect()
        rig.hear(beat(origin("a", run=0)), beat(origin("a", run=2)))
        assert rig.bridge.members.all() == []

    def test_who_asks_is_told_at_once(self) -> None:
        rig = Rig()
        rig.connect()
        rig.send()
        assert not rig.bridge.has_more()
        rig.hear(beat(origin(), asks=True))
        assert rig.kinds() == [Beat]


class TestListening:
    def test_a_bucket_is_listened_to_when_the_engine_has_confirmed_it(self) -> None:
        rig = Rig()
        rig.connect()
        rig.bridge.listening()
        rig.want(ROOM)
        changes = rig.bridge.changes()
        assert changes.subscribe == [ROOM]
        told = rig.bridge.listening()
        assert told is not None
        assert (told.versions, unpack_buckets(told.buckets)) == ({5: 1}, frozenset())
        rig.bridge.subscribed(changes.subscribe)
        told = rig.bridge.listening()
        assert told is not None
        assert unpack_buckets(told.buckets) == {ROOM}
        assert rig.bridge.listening() is None
        rig.bridge.worker_exited(5)
        assert rig.bridge.changes().unsubscribe == [ROOM]

    def test_without_an_engine_everything_that_is_wanted_is(self) -> None:
        rig = Rig()
        rig.want(ROOM)
        told = rig.bridge.listening()
        assert told is not None
        assert unpack_buckets(told.buckets) == {ROOM}
        assert rig.bridge.changes() == ([], [])

    def test_of_several_servers_all_nodes_behind_them_must_have_said_that_they_know(self) -> None:
        rig = Rig()
        rig.connect(spreads=True)
        rig.send()
        rig.hear(beat(origin()), beat(origin("c")))
        rig.want(ROOM)
        rig.bridge.subscribed(rig.bridge.changes().subscribe)
        assert not rig.listens_to(ROOM)
        sent = [decode(data) for _, data in rig.send()]
        assert sent == [Probe(origin("a"), 1, [ROOM])]
        rig.hear(Probed(origin(), 1, {ROOM: 5}))
        assert not rig.listens_to(ROOM)
        rig.tick()
        assert Probe in rig.kinds()  # who was not there yet is asked again
        rig.hear(Probed(origin("c"), 1, {ROOM: 0}))
        assert rig.listens_to(ROOM)
        assert rig.kinds() == []
        rig.tick()
        assert rig.kinds() == [Beat]
        rig.bridge.take_news()
        # What b had published before it knew is not missed, what comes then is.
        rig.hear(publishes(origin(), 7))
        assert rig.bridge.take_news() == [MessagesLost("b", 1)]

    def test_who_goes_meanwhile_is_not_waited_for(self) -> None:
        rig = Rig()
        rig.connect(spreads=True)
        rig.hear(beat(origin()))
        rig.want(ROOM)
        rig.bridge.subscribed(rig.bridge.changes().subscribe)
        assert not rig.listens_to(ROOM)
        rig.hear(Goodbye(origin()))
        assert rig.listens_to(ROOM)

    def test_who_is_asked_says_from_where_on_it_publishes_for_the_other(self) -> None:
        rig = Rig()
        rig.connect()
        rig.send()
        rig.hear(beat(origin()))
        for _ in range(3):
            rig.publish()
        rig.send()
        rig.publish()
        rig.hear(Probe(origin(), 4, [ROOM, (ROOM + 1) % 1024]))
        batch = rig.send()
        assert (batch[0].subject, decode(batch[0].data)) == (
            SUBJECTS.node("b"),
            Probed(origin("a"), 4, {ROOM: 3, (ROOM + 1) % 1024: 0}),
        )
        assert [type(decode(data)) for _, data in batch[1:]] == [Publishes]

    def test_what_is_not_wanted_is_not_delivered(self) -> None:
        rig = Rig()
        rig.connect()
        rig.hear(beat(origin()), publishes(origin(), 1))
        assert rig.delivered() == []


class TestNumbers:
    def test_what_comes_again_is_dropped_and_what_is_missing_is_told(self) -> None:
        rig = Rig()
        rig.want(ROOM)
        rig.connect()
        rig.hear(beat(origin()), publishes(origin(), 1, 3), publishes(origin(), 2, 3), publishes(origin(), 8))
        assert rig.delivered() == ["1", "2", "3", "4", "8"]
        rig.hear(beat(origin(), {ROOM: 10}))
        assert rig.bridge.take_news() == [NodeUp("b", "id of b"), MessagesLost("b", 3), MessagesLost("b", 2)]
        (row,) = rig.bridge.status("", rig.now).nodes
        assert (row.received, row.duplicates, row.lost) == (5, 2, 5)

    def test_what_nobody_can_be_given_is_counted_and_named_and_the_rest_comes(self) -> None:
        rig = Rig()
        rig.want(ROOM)
        rig.connect()
        poison = Crossing("room", Form.BINARY, "e" * 300, b"x")
        crossings = [poison, *publishes(origin(), 2).crossings, Crossing("\0tap", Form.JSON, "", b"{}")]
        rig.hear(beat(origin()), Publishes(origin(), ROOM, 1, crossings))
        assert rig.delivered() == ["2"]
        assert rig.bridge.unreadable == 2
        assert "event of a binary message has at most 255 bytes" in rig.bridge.complaint

    def test_what_is_for_this_node_alone_is_numbered_by_itself(self) -> None:
        rig = Rig()
        rig.connect()
        direct = Directs(origin(), 3, [Crossing("\0worker:1", Form.PLAIN, "", b"\x01")])
        rig.hear(beat(origin(), directs={"a": 1, "c": 9}), direct)
        assert rig.delivered() == [""]
        assert rig.bridge.take_news()[1:] == [MessagesLost("b", 1)]

    def test_own_topics_of_the_node_do_not_cross_but_those_of_presence_do(self) -> None:
        rig = Rig()
        for topic in ("\0worker:1", "\0presence:x", "room"):
            rig.bridge.tapped(encode_crossing(topic, Form.PLAIN, "", b""))
        assert rig.bridge.outgoing.count == 2

    def test_what_is_for_a_node_that_nobody_knows_is_dropped_and_counted(self) -> None:
        rig = Rig()
        rig.connect()
        crossing = Crossing("room", Form.JSON, "e", b"{}")
        rig.bridge.direct(encode_direct("b", crossing))
        assert (rig.bridge.outgoing.count, rig.bridge.outgoing.dropped) == (0, 1)
        rig.hear(beat(origin()))
        rig.bridge.direct(encode_direct("b", crossing))
        assert rig.bridge.outgoing.count == 1


class TestTheEngine:
    def test_a_beat_comes_first_then_publishes_with_a_beat_behind_them(self) -> None:
        rig = Rig()
        rig.publish()
        rig.connect()
        assert rig.kinds() == [Beat]
        rig.tick()
        assert rig.kinds() == [Publishes, Beat]

    def test_what_waits_goes_when_all_who_were_there_are_heard_again(self) -> None:
        rig = Rig()
        rig.connect()
        rig.send()
        rig.hear(beat(origin()), beat(origin("c")))
        rig.bridge.lost(rig.now)
        rig.publish()
        rig.connect()
        assert rig.kinds() == [Beat]
        rig.hear(beat(origin()))
        assert not rig.bridge.has_more()
        rig.hear(beat(origin("c")))
        assert rig.kinds() == [Publishes]

    def test_it_does_not_wait_for_ever_for_one_that_does_not_come(self) -> None:
        rig = Rig()
        rig.connect()
        rig.send()
        rig.hear(beat(origin()))
        rig.bridge.lost(rig.now)
        rig.publish()
        rig.connect()
        for _ in range(REJOIN_BEATS):
            assert rig.kinds() == [Beat]
            rig.tick()
        assert rig.kinds() == [Publishes, Beat]

    def test_beats_that_do_not_come_back_are_noticed_and_nobody_elses(self) -> None:
        rig = Rig()
        rig.connect()
        rig.send()
        for _ in range(20):
            assert not rig.tick()
            rig.send()
        assert rig.bridge.status("", rig.now).round_trip is not None
        for _ in range(DEAF_BEATS):
            assert not rig.tick()
            rig.hear(beat(origin()))
        assert rig.tick()
        assert rig.bridge.status("", rig.now).state is EngineState.DEAF
        rig.bridge.lost(rig.now)
        assert rig.bridge.status("", rig.now).state is EngineState.DEAF
        rig.connect()
        rig.send()
        assert rig.bridge.status("", rig.now).state is EngineState.CONNECTED

    def test_an_engine_that_confirms_no_subscription_is_deaf(self) -> None:
        rig = Rig()
        rig.bridge.connected(MAX_MESSAGE, 0.0)
        assert [rig.tick() for _ in range(DEAF_BEATS + 1)] == [False] * DEAF_BEATS + [True]
        assert not rig.bridge.has_more()

    def test_nothing_is_asked_or_sent_while_it_is_away(self) -> None:
        rig = Rig()
        rig.publish()
        assert rig.bridge.linkage is Linkage.AWAY
        assert not rig.tick()
        assert rig.send() == []
        assert not rig.bridge.ask("b", 1, b"")

    def test_what_cannot_be_read_is_counted_and_named_once(self) -> None:
        rig = Rig()
        rig.connect()
        for data in (b"\x09abc", b"", b"\x01\xff"):
            rig.bridge.received(data, 0.0)
        assert rig.bridge.unreadable == 3
        assert rig.bridge.complaint.startswith("a message of version 9")


def test_nothing_goes_behind_a_goodbye() -> None:
    rig = Rig()
    rig.connect()
    rig.send()
    assert [decode(data) for _, data in rig.bridge.goodbye()] == [Goodbye(origin("a"))]
    rig.tick()
    assert not rig.bridge.has_more()
    assert rig.send() == []


def test_an_answer_that_is_too_large_is_refused_with_its_size() -> None:
    rig = Rig()
    rig.connect()
    rig.send()
    rig.bridge.answer("b", 3, msgspec.msgpack.encode("x" * MAX_MESSAGE))
    (sent,) = rig.send()
    message = decode(sent.data)
    assert sent.subject == SUBJECTS.node("b")
    assert "more than the engine carries" in getattr(message, "refused")  # noqa: B009
