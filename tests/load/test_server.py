"""Where the load tests go, and where they do not."""

import pytest

from tests.load.bench import Bench
from tests.load.display import Display
from tests.load.orders import Address, LoadTestFailed
from tests.load.plan import Crowding, Work
from tests.load.server import Floor, local_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://127.0.0.1:4000/socket/websocket", Address("127.0.0.1", 4000, "/socket/websocket?vsn=2.0.0")),
        ("ws://localhost:4000", Address("127.0.0.1", 4000, "/socket/websocket?vsn=2.0.0")),
        ("ws://127.0.0.1:4/s?token=1", Address("127.0.0.1", 4, "/s?token=1&vsn=2.0.0")),
        ("ws://127.0.0.2:4/s?vsn=2.0.0", Address("127.0.0.2", 4, "/s?vsn=2.0.0")),
    ],
)
def test_the_protocol_is_asked_for_whether_the_address_names_it_or_not(url: str, address: Address) -> None:
    assert local_address(url) == address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ws://example.org/socket/websocket", "no ws:// address of this machine"),
        ("wss://127.0.0.1/socket/websocket", "no ws:// address of this machine"),
        ("ws://127.evil.example/socket/websocket", "no ws:// address of this machine"),
        ("ws://127.0.0.1/socket/websocket?vsn=1.0.0", "speak 2.0.0 alone"),
    ],
)
def test_other_addresses_are_refused_in_a_sentence(url: str, why: str) -> None:
    with pytest.raises(LoadTestFailed, match=why):
        local_address(url)


def test_two_bare_loops_behave_as_one() -> None:
    """Whichever of them a client came to, it hears what any other sends into its room; heartbeats are answered."""
    with Floor(2) as floor, Bench(floor, Crowding(1, 12, processes=2), Display()) as bench:
        bench.join()
        held, _ = bench.hold(0.2, 0.1)
        driven, _, _ = bench.drive(Work("fanout", window=1, seconds=0.3, warmup=0.1))
    assert held.answers == held.beats > 0
    assert driven.messages > 0
    assert driven.lost == driven.duplicated == driven.corrupt == driven.disconnected == 0
