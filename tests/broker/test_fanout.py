"""What the workers are sent of a publish."""

import pytest

from roost.broker.fanout import Fanout
from roost.broker.topic_table import TopicTable
from roost.shared.bus import Form, Lane, Publish, Reach, Subscribe
from roost.shared.crossing import Crossing, decode_crossing
from roost.shared.serializer import encode_broadcast
from roost.shared.topics import TAP

WORKERS = (1, 2, 3)


def table() -> TopicTable:
    """Each worker has two subscribers of each lane, and two of V2 whose code intercepts one event."""
    made = TopicTable()
    for worker in WORKERS:
        for number, (lane, intercepts) in enumerate(
            [(lane, ()) for lane in (Lane.LETTER, Lane.V1, Lane.V2)] * 2 + [(Lane.V2, ("seen",))] * 2
        ):
            made.subscribe(worker, Subscribe(number + 1, "room", lane, intercepts))
    return made


def published(event: str, payload: object) -> Fanout:
    form, data = encode_broadcast("room", event, payload)
    fanout = Fanout(table())
    fanout.add(1, Publish(1, "room", form, event, data, 0, 0))
    return fanout


def test_one_broadcast_is_encoded_once_a_lane() -> None:
    """The same object for all workers and audiences: nothing was made a second time."""
    entries = [due.entries[0] for due in published("said", {"n": 1}).take().values()]
    assert len(entries) == len(WORKERS)
    frames = [frame for entry in entries for _, frame in entry.frames]
    assert len(frames) == 3 * len(WORKERS)
    assert len({id(frame) for frame in frames}) == len({bytes(frame) for frame in frames}) == 2
    letters = [letter for entry in entries for _, letter in entry.letters]
    assert (len(letters), len({id(letter) for letter in letters})) == (len(WORKERS), 1)


def test_what_is_intercepted_goes_to_code() -> None:
    fanout = published("seen", {"n": 1})
    assert fanout.deliveries == 8 * len(WORKERS)
    for due in fanout.take().values():
        (entry,) = due.entries
        assert (len(entry.frames), len(entry.letters)) == (2, 2)


def test_those_who_speak_v1_cannot_be_told_binary() -> None:
    fanout = published("said", b"data")
    assert fanout.unencodable == 2 * len(WORKERS)
    assert fanout.deliveries == 6 * len(WORKERS)
    assert {len(due.entries[0].frames) for due in fanout.take().values()} == {2}
    assert encode_broadcast("room", "said", b"data")[0] == Form.BINARY


class TestTap:
    """Whoever carries publishes to other nodes is given each once, whether anybody here subscribes or not."""

    def tapped(self, publish: Publish, publisher: int = 1) -> list[tuple[int, list[Crossing]]]:
        table = TopicTable()
        table.subscribe(9, Subscribe(1, TAP, Lane.LETTER))
        table.subscribe(2, Subscribe(1, "room:a", Lane.V2))
        fanout = Fanout(table)
        fanout.add(publisher, publish)
        return [
            (worker, [decode_crossing(letter) for entry in due.entries for _, letter in entry.letters])
            for worker, due in fanout.take().items()
            if any(entry.letters for entry in due.entries)
        ]

    @pytest.mark.parametrize("topic", ["room:a", "room:b"])
    def test_what_is_for_all_nodes_is_tapped(self, topic: str) -> None:
        publish = Publish(7, topic, Form.JSON, "shout", b"{}", sender=1)
        assert self.tapped(publish) == [(9, [Crossing(topic, Form.JSON, "shout", b"{}")])]

    def test_what_is_for_this_node_is_not(self) -> None:
        assert self.tapped(Publish(7, "room:a", Form.JSON, "shout", b"{}", reach=Reach.NODE)) == []

    def test_what_came_from_other_nodes_does_not_go_back(self) -> None:
        assert self.tapped(Publish(7, "room:a", Form.JSON, "shout", b"{}"), publisher=9) == []

    def test_it_counts_as_one_delivery(self) -> None:
        table = TopicTable()
        table.subscribe(9, Subscribe(1, TAP, Lane.LETTER))
        fanout = Fanout(table)
        fanout.add(1, Publish(7, "room:a", Form.JSON, "shout", b"{}"))
        assert fanout.deliveries == fanout.due(9).deliveries == 1


def test_topics_are_counted_by_their_deliveries() -> None:
    fanout = Fanout(table())
    form, data = encode_broadcast("room", "said", {"n": 1})
    fanout.hottest.tick(0.0, 0)
    for number, sender, topic in ((1, 0, "room"), (2, 1, "room"), (3, 0, "nobody")):
        fanout.add(1, Publish(number, topic, form, "said", data, sender))
    (row,) = fanout.hottest.hottest(1.0)
    assert (row.topic, row.deliveries, row.publishes) == ("room", fanout.deliveries, 2)
    assert fanout.deliveries == 2 * 8 * len(WORKERS) - 1
