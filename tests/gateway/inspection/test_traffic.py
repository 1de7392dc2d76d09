"""Every frame and byte for a client is counted once, whichever way it is written."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.bus.handover import hand_over
from roost.gateway.inspection.traffic import Traffic
from roost.gateway.transports.turn import Turn
from roost.gateway.transports.websocket import _joined
from roost.shared.peer.shard_link import Frames, Handover

frames = st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=4)


class Outlet:
    """A connection that takes nothing by its descriptor."""

    descriptor = -1

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def send(self, run: Frames) -> None:
        self.got += run.frames

    def fall_behind(self, run: Frames, written: int) -> None:
        self.send(run)


@given(st.lists(st.tuples(frames, st.sets(st.integers(0, 3))), max_size=5))
def test_broadcasts_are_counted_by_run_as_clients_got_them(runs: list[tuple[list[bytes], set[int]]]) -> None:
    outlets = [Outlet() for _ in range(4)]
    handovers: list[Handover] = [Frames([outlets[at] for at in who], list(what), "t") for what, who in runs]

    async def hand() -> Traffic:
        turn = Turn(asyncio.get_running_loop())
        hand_over(handovers, turn)
        return turn.traffic

    traffic = asyncio.run(hand())
    got = [frame for outlet in outlets for frame in outlet.got]
    assert (traffic.broadcasts_sent, traffic.bytes_sent) == (len(got), sum(map(len, got)))
    assert traffic.replies_sent == 0


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=9), frames), min_size=1, max_size=5))
def test_replies_are_counted_where_they_are_joined_and_broadcasts_are_not(pieces: list[bytes | list[bytes]]) -> None:
    traffic = Traffic()
    collected = [piece if isinstance(piece, bytes) else Frames([], piece, "t") for piece in pieces]
    replies = [piece for piece in pieces if isinstance(piece, bytes)]
    assert _joined(collected, traffic) == b"".join(
        piece if isinstance(piece, bytes) else b"".join(piece) for piece in pieces
    )
    assert (traffic.replies_sent, traffic.bytes_sent) == (len(replies), sum(map(len, replies)))
