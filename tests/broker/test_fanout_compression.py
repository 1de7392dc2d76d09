"""What is compressed of a publish: one frame a lane, shared by all workers and subscribers of it."""

import sys
from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roost.broker.fanout import Fanout
from roost.broker.topic_table import TopicTable
from roost.shared.bus import Entry, Form, Lane, Publish, Subscribe
from tests.shared.client_frames import received, received_compressed

LARGE = b'{"text":"%b"}' % (b"all work and no play " * 50)
SMALL = b'{"text":"hello"}'
PLAIN_LANE = {
    Lane.V1: Lane.V1,
    Lane.V2: Lane.V2,
    Lane.V1_DEFLATE: Lane.V1,
    Lane.V2_DEFLATE: Lane.V2,
}
FRAME_LANES = [lane for lane in Lane if lane is not Lane.LETTER]


def published(
    members: Sequence[tuple[int, Lane]], form: Form, payload: bytes
) -> tuple[dict[int, Entry], dict[int, Lane]]:
    """The entry of each worker, and the lane of each audience, for subscribers given by worker and lane."""
    table = TopicTable()
    for number, (worker, lane) in enumerate(members, 1):
        table.subscribe(worker, Subscribe(number, "room:a", lane))
    fanout = Fanout(table)
    fanout.add(99, Publish(1, "room:a", form, "shout", payload))
    topic = table.topic("room:a")
    assert topic is not None
    lanes = {one.number: one.lane for audiences in topic.audiences.values() for one in audiences.values()}
    return {worker: due.entries[0] for worker, due in fanout.take().items()}, lanes


def compressors_made(members: Sequence[tuple[int, Lane]], payload: bytes) -> int:
    """How often zlib was asked to compress for one publish."""
    made: Counter[str] = Counter()

    def count(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            made[called.__name__] += 1

    sys.setprofile(count)
    try:
        published(members, Form.JSON, payload)
    finally:
        sys.setprofile(None)
    return made["compressobj"]


def test_a_broadcast_is_compressed_once_a_lane_however_many_clients_and_workers_there_are() -> None:
    everywhere = [(worker, lane) for worker in range(8) for lane in FRAME_LANES for _ in range(50)]
    assert compressors_made(everywhere, LARGE) == 2


def test_nothing_is_compressed_for_nobody() -> None:
    assert compressors_made([(1, Lane.V1), (1, Lane.V2), (2, Lane.LETTER)], LARGE) == 0


def test_small_broadcasts_are_not_compressed() -> None:
    assert compressors_made([(1, Lane.V1_DEFLATE), (1, Lane.V2_DEFLATE)], SMALL) == 0


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(FRAME_LANES)), min_size=1, max_size=20),
    st.sampled_from([(Form.JSON, SMALL), (Form.JSON, LARGE), (Form.BINARY, b"\0" * 1000)]),
)
def test_each_lane_reads_what_its_plain_lane_reads(members: list[tuple[int, Lane]], what: tuple[Form, bytes]) -> None:
    entries, lanes = published(members, *what)
    plain, plain_lanes = published([(1, lane) for lane in (Lane.V1, Lane.V2)], *what)
    expected = {plain_lanes[number]: bytes(received(frame)[0].data) for number, frame in plain[1].frames}
    frames: dict[Lane, bytes] = {}
    for entry in entries.values():
        for number, frame in entry.frames:
            lane = lanes[number]
            assert frames.setdefault(lane, frame) is frame, "one frame a lane, not one a worker"
            (read,) = received_compressed(frame)
            assert bytes(read.data) == expected[PLAIN_LANE[lane]]
    assert frames.keys() == {lane for _, lane in members if PLAIN_LANE[lane] in expected}
