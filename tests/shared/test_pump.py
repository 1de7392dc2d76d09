"""The bus's sockets over real ipc: nothing waits, nothing is lost, and silence is silence."""

import select
from collections.abc import Iterator

import pytest
import zmq

from roost.shared.pump import Dealer, Router
from tests.limits import LIMIT
from tests.shared.processes import short_directory


class Bus:
    """Sockets on one path, closed in the end."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._pumps: list[Dealer | Router] = []

    def router(self) -> Router:
        router = Router(self._context, self._path)
        self._pumps.append(router)
        return router

    def dealer(self, worker: int = 1, session: int = 1) -> Dealer:
        dealer = Dealer(self._context, self._path, worker, session)
        self._pumps.append(dealer)
        return dealer

    def close(self) -> None:
        for pump in self._pumps:
            pump.close()
        self._context.term()


@pytest.fixture
def bus() -> Iterator[Bus]:
    with short_directory() as directory:
        bus = Bus(str(directory / "bus.sock"))
        yield bus
        bus.close()


def wait(pump: Dealer | Router) -> None:
    """Wait as an event loop does: on the descriptor, which is edge-triggered, so ask first."""
    poll = select.poll()
    poll.register(pump.descriptor, select.POLLIN)
    while not pump.readable():
        assert poll.poll(LIMIT * 1000), "nothing comes"


def drain(router: Router, count: int) -> list[tuple[int, int, bytes]]:
    got: list[tuple[int, int, bytes]] = []
    while len(got) < count:
        wait(router)
        got += router.drain(1000)
    return got


def drain_dealer(dealer: Dealer, count: int) -> list[bytes]:
    got: list[bytes] = []
    while len(got) < count:
        wait(dealer)
        got += dealer.drain()
    return got


def test_parcels_carry_who_sent_them_and_answers_find_back(bus: Bus) -> None:
    router = bus.router()
    dealers = {key: bus.dealer(*key) for key in [(1, 1), (1, 2), (2, 1), (11, 1)]}
    for (worker, session), dealer in dealers.items():
        dealer.send(b"from %d.%d" % (worker, session))
    got = drain(router, 4)
    assert sorted(got) == sorted((*key, b"from %d.%d" % key) for key in dealers)
    for worker, session, parcel in got:
        router.send(worker, session, b"to " + parcel)
    for key, dealer in dealers.items():
        assert drain_dealer(dealer, 1) == [b"to from %d.%d" % key]
        assert not dealer.readable()


def test_nothing_is_dropped_however_much_waits_and_its_order_is_kept(bus: Bus) -> None:
    router, dealer = bus.router(), bus.dealer()
    parcels = [b"%d" % number for number in range(5000)]
    for parcel in parcels:
        dealer.send(parcel)
    assert [parcel for _, _, parcel in drain(router, len(parcels))] == parcels
    for parcel in parcels:
        router.send(1, 1, parcel)
    assert drain_dealer(dealer, len(parcels)) == parcels


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_parcels_of_every_size(bus: Bus, size: int) -> None:
    router, dealer = bus.router(), bus.dealer()
    dealer.send(b"x" * size)
    assert drain(router, 1) == [(1, 1, b"x" * size)]


def test_a_turn_takes_no_more_than_its_limit(bus: Bus) -> None:
    router, dealer = bus.router(), bus.dealer()
    for number in range(10):
        dealer.send(b"%d" % number)
    got: list[tuple[int, int, bytes]] = []
    while len(got) < 10:
        wait(router)
        some = list(router.drain(3))
        assert 0 < len(some) <= 3
        got += some
    assert [parcel for _, _, parcel in got] == [b"%d" % number for number in range(10)]
    assert list(router.drain(3)) == []


def test_a_worker_may_connect_before_the_shard_binds(bus: Bus) -> None:
    dealer = bus.dealer()
    dealer.send(b"early")
    assert drain(bus.router(), 1) == [(1, 1, b"early")]


def test_one_whom_nobody_knows_is_sent_nothing_and_nothing_happens(bus: Bus) -> None:
    router, dealer = bus.router(), bus.dealer()
    router.send(9, 9, b"to nobody")
    dealer.send(b"hello")
    assert drain(router, 1) == [(1, 1, b"hello")]
    router.send(1, 1, b"and after that")
    assert drain_dealer(dealer, 1) == [b"and after that"]


def test_one_who_has_left_is_sent_nothing_and_nothing_happens(bus: Bus) -> None:
    router, dealer, stays = bus.router(), bus.dealer(), bus.dealer(2, 1)
    for one in (dealer, stays):
        one.send(b"hello")
    drain(router, 2)
    dealer.close()
    for _ in range(100):
        router.send(1, 1, b"gone")
        router.send(2, 1, b"here")
    assert drain_dealer(stays, 100) == [b"here"] * 100


def test_a_session_after_a_closed_one_is_known_as_another(bus: Bus) -> None:
    """What the closed socket still had to send may yet arrive, under its own session."""
    dealer = bus.dealer()
    dealer.send(b"perhaps")
    dealer.close()
    assert dealer.socket.closed
    router = bus.router()
    fresh = bus.dealer(1, 2)
    fresh.send(b"fresh")
    got = drain(router, 1)
    while (1, 2, b"fresh") not in got:
        assert got == [(1, 1, b"perhaps")]
        got += drain(router, 1)
