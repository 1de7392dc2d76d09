"""Which publishes are timed on their way, and when the clock is looked at."""

import time

import msgspec

from roost.gateway.bus.uplink import Uplink
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Publish
from roost.shared.peer.books import Timed
from roost.shared.peer.delivery import Arrival
from roost.shared.peer.shard_link import Frames
from roost.shared.shard_map import Slot
from tests.gateway.lone_worker import lone_worker
from tests.limits import LIMIT


class Outlet:
    """A connection that is written to at the end of the turn, and notes when that was."""

    descriptor = -1

    def __init__(self, turn: Turn) -> None:
        self.written = 0
        self._turn = turn

    def send(self, run: Frames) -> None:
        del run
        self._turn.collect(self)

    def flush(self) -> None:
        self.written = time.monotonic_ns()


def traces(uplink: Uplink) -> list[int]:
    """Of all publishes so far, none of which is through."""
    return [msgspec.msgpack.decode(logged.item, type=Publish).trace for logged in uplink._delivery._log._logged]


async def test_of_the_publishes_of_a_turn_the_first_is_timed() -> None:
    with lone_worker() as runtime:
        before = time.monotonic_ns()
        for _ in range(3):
            assert runtime.uplink.publish_now("room:a", Form.JSON, "news", b"{}")
        assert isinstance(runtime.uplink, Uplink)
        timed, *others = traces(runtime.uplink)
        assert before <= timed <= time.monotonic_ns()
        assert others == [0, 0]


async def test_a_timed_broadcast_counts_once_when_all_of_it_is_written() -> None:
    with lone_worker() as runtime:
        uplink, outlets = runtime.uplink, [Outlet(runtime.turn), Outlet(runtime.turn)]
        assert isinstance(uplink, Uplink)
        arrival = Arrival()
        arrival.handovers = [Frames([outlet], [b"1"], "room:a") for outlet in outlets]
        published = time.monotonic_ns() - 10**9
        uplink.books.timed.append(Timed(1, 1, published, Slot(0, 0), "room:a", 2, framed=True))
        uplink.books.due = 2
        uplink._carry_out([arrival])
        assert all(outlet.written for outlet in outlets)
        uplink._carry_out([arrival])
        assert sum(uplink.latency.measured().counts) == sum(uplink.write_time.measured().counts) == 1
        assert 1.0 <= uplink.latency.measured().total < LIMIT
        assert uplink.write_time.measured().total < LIMIT
