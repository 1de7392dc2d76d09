"""A worker's own subscribers by topic."""

from roost.gateway.bus.local_broadcast import broadcast_locally
from roost.gateway.bus.local_topics import LocalTopics
from roost.shared.bus import Form, Lane, decode_letter
from roost.shared.frames import frame_payload
from roost.shared.peer.audience import Subscription
from roost.shared.peer.shard_link import Frames, Letters


def subscription(number: int, topic: str, lane: Lane = Lane.V2, intercepts: tuple[str, ...] = ()) -> Subscription:
    made = Subscription(number, 0, topic, lane, intercepts, f"outlet {number}", f"inbox {number}", 0.0)
    made.standing = True
    return made


def test_only_topics_that_somebody_wants_are_kept() -> None:
    topics = LocalTopics()
    early = subscription(1, "lobby:a")
    topics.add(early)
    topics.keep(["lobby:", "hall"])
    wanted, other = subscription(2, "lobby:a"), subscription(3, "room:a")
    for one in (wanted, other):
        topics.add(one)
        topics.hold(one)
    assert list(topics.subscribers("lobby:a")) == [wanted]
    assert list(topics.subscribers("room:a")) == []
    assert topics.held(2)
    assert not topics.held(3)
    topics.discard(early)
    topics.discard(wanted)
    assert list(topics.subscribers("lobby:a")) == []
    assert not topics.held(2)


def test_those_whose_subscription_does_not_stand_yet_are_left_out() -> None:
    topics = LocalTopics()
    topics.keep([""])
    one = subscription(1, "t")
    one.standing = False
    topics.add(one)
    assert list(topics.subscribers("t")) == []
    one.standing = True
    assert list(topics.subscribers("t")) == [one]


def test_who_is_released_is_told_of_once() -> None:
    topics = LocalTopics()
    topics.keep([""])
    released: list[str] = []
    topics.released.append(released.append)
    one = subscription(1, "t")
    topics.add(one)
    topics.hold(one)
    topics.release(one)
    topics.release(one)
    topics.release(None)
    assert released == ["t"]


def test_a_local_broadcast_is_made_once_a_lane() -> None:
    handovers = broadcast_locally(
        "t",
        "presence_diff",
        b'{"joins":{}}',
        [
            subscription(1, "t"),
            subscription(2, "t"),
            subscription(3, "t", Lane.V1),
            subscription(4, "t", intercepts=("presence_diff",)),
            subscription(5, "t", Lane.LETTER),
            subscription(6, "t", Lane.V2_DEFLATE),
            subscription(7, "t", intercepts=("other",)),
        ],
    )
    frames = {tuple(one.outlets): frame_payload(one.frames[0]) for one in handovers if isinstance(one, Frames)}
    v2 = b'[null,null,"t","presence_diff",{"joins":{}}]'
    assert frames == {
        ("outlet 1", "outlet 2", "outlet 7"): v2,
        ("outlet 3",): b'{"event":"presence_diff","payload":{"joins":{}},"ref":null,"topic":"t"}',
        ("outlet 6",): v2,
    }
    (letters,) = [one for one in handovers if isinstance(one, Letters)]
    assert letters.inboxes == ["inbox 4", "inbox 5"]
    letter = decode_letter(letters.letter)
    assert (letter.form, letter.event, letter.payload) == (Form.JSON, "presence_diff", b'{"joins":{}}')
