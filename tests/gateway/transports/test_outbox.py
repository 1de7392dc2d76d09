"""What waits for a slow client: nothing is lost without being told, order holds, and the bounds do."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.transports.drops import Reason
from roost.gateway.transports.outbox import HARD_LIMIT, SMALL_FRAME, Outbox
from roost.gateway.transports.when_slow import WhenSlow

LIMIT = 5000
POLICIES = {"a": WhenSlow.DISCONNECT, "b": WhenSlow.DROP_NEWEST, "c": WhenSlow.LATEST, "d": WhenSlow.LATEST}


@dataclass(frozen=True)
class Frame:
    """A frame by the topic that it was broadcast on; None for a reply."""

    topic: str | None
    size: int

    def data(self, number: int) -> bytes:
        """Begins with its number and its size, so that what was joined can be told apart again."""
        return b"%06d%06d" % (number, self.size) + b"x" * self.size


@dataclass(frozen=True)
class Take:
    """The client has read some of it."""

    size: int


FRAMES = st.builds(
    Frame, st.sampled_from([None, *POLICIES]), st.one_of(st.integers(0, 300), st.sampled_from([SMALL_FRAME, 3000]))
)
STEPS = st.lists(st.one_of(FRAMES, FRAMES, FRAMES, st.builds(Take, st.integers(1, 4000))), max_size=120)


def numbers(data: bytes) -> list[int]:
    """The frames that these bytes are."""
    found = []
    while data:
        found.append(int(data[:6]))
        data = data[12 + int(data[6:12]) :]
    return found


@given(STEPS, st.integers(0, 3000))
def test_what_is_offered_is_sent_in_order_or_dropped_for_a_reason(steps: list[Frame | Take], held: int) -> None:
    outbox = Outbox(LIMIT)
    sent: list[int] = []
    dropped: list[int] = []
    waiting: dict[int, Frame] = {}
    for number, step in enumerate(steps):
        if isinstance(step, Take):
            taken = numbers(outbox.take(step.size))
            assert bool(taken) == bool(waiting)
            for one in taken:
                del waiting[one]
            sent += taken
            continue
        waits = sum(len(frame.data(0)) for frame in waiting.values()) + held
        assert outbox.size + held == waits
        assert outbox.broadcasts == sum(frame.topic is not None for frame in waiting.values())
        data = step.data(number)
        size = len(data)
        if step.topic is None:
            fits = waits == 0 or waits + size <= HARD_LIMIT * LIMIT
            assert outbox.add(data, held) is fits
            if not fits:
                return  # the client is disconnected
            waiting[number] = step
            continue
        policy = POLICIES[step.topic]
        reason = outbox.broadcast(data, step.topic, policy, held)
        older = [one for one, frame in waiting.items() if frame.topic == step.topic]
        if policy is WhenSlow.LATEST:
            if reason is Reason.SLOW_DISCONNECT:
                assert waits + size > HARD_LIMIT * LIMIT
                return
            assert reason is (Reason.LATEST if older else None)
            for one in older:
                dropped.append(one)
                del waiting[one]
            waiting[number] = step
        elif waits and waits + size > LIMIT:
            assert reason is (Reason.DROP_NEWEST if policy is WhenSlow.DROP_NEWEST else Reason.SLOW_DISCONNECT)
            if policy is WhenSlow.DISCONNECT:
                return
            dropped.append(number)
        else:
            assert reason is None
            waiting[number] = step
    while outbox:
        sent += numbers(outbox.take(4000))
    assert (outbox.size, outbox.broadcasts) == (0, 0)
    assert sent == sorted(sent)
    offered = [number for number, step in enumerate(steps) if isinstance(step, Frame)]
    assert sorted(sent + dropped) == offered


@pytest.mark.parametrize("policy", WhenSlow)
def test_one_frame_of_any_size_may_wait_alone(policy: WhenSlow) -> None:
    outbox = Outbox(10)
    assert outbox.broadcast(b"x" * 1000, "t", policy) is None
    assert outbox.take(1) == b"x" * 1000
    assert not outbox
    assert Outbox(10).add(b"x" * 1000)


def test_small_frames_take_little_more_than_their_bytes() -> None:
    """A room's frames are copied together: a client with 10,000 of them must not hold 10,000 objects."""
    outbox = Outbox(2**30)
    for _ in range(10_000):
        outbox.broadcast(b"x" * 64, "t", WhenSlow.DISCONNECT)
    assert len(outbox._pieces) < 50


def test_newest_frames_of_many_topics_do_not_pile_up() -> None:
    outbox = Outbox(2**30)
    for number in range(10_000):
        outbox.broadcast(b"%d" % number, f"t{number % 3}", WhenSlow.LATEST)
    assert len(outbox._pieces) == 3
    assert outbox.take(100) == b"999799989999"


def test_large_frames_are_shared_between_clients() -> None:
    frame = b"x" * SMALL_FRAME
    outbox = Outbox(2**20)
    outbox.broadcast(frame, "t", WhenSlow.DISCONNECT)
    assert outbox.take(1) is frame


def test_there_is_always_room_for_a_control_frame() -> None:
    outbox = Outbox(10)
    outbox.add(b"x" * 1000)
    outbox.add_control(b"close")
    assert outbox.take(2000) == b"x" * 1000 + b"close"
