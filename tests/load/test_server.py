"""Where the load tests go, and where they do not."""

import pytest

from tests.load.orders import Address, LoadTestFailed
from tests.load.server import local_address


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
