"""Addresses on real sockets: found, seen to be free, kept for the workers."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from roost.gateway.processes.addresses import Reservation, listener, url
from roost.shared.failures import CannotStart
from tests.limits import LIMIT
from tests.ports import free_port


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
hosts = pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", pytest.param("::1", marks=needs_ipv6)])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(stack: ExitStack, address: tuple[str, int]) -> socket.socket:
    """A worker's listener, as uvicorn has it."""
    bound = stack.enter_context(closing(listener(address)))
    bound.listen()
    bound.settimeout(LIMIT)
    return bound


def connect(host: str, port: int) -> socket.socket:
    return socket.create_connection((host.replace("0.0.0.0", "127.0.0.1"), port), LIMIT)


class TestReserving:
    """A port is ours alone, though our workers share it."""

    @hosts
    def test_workers_share_what_is_reserved(self, stack: ExitStack, host: str) -> None:
        (address,) = stack.enter_context(Reservation(host, 0)).addresses
        assert address[0] == host
        workers = [listening(stack, address) for _ in range(3)]
        with connect(*address) as client:
            assert client.getpeername()[1] == address[1]
        assert len({worker.fileno() for worker in workers}) == 3

    @hosts
    def test_a_reservation_takes_no_connections_itself(self, stack: ExitStack, host: str) -> None:
        (address,) = stack.enter_context(Reservation(host, 0)).addresses
        with pytest.raises(ConnectionRefusedError):
            connect(*address)
        worker = listening(stack, address)
        for _ in range(20):
            with connect(*address):
                worker.accept()[0].close()

    @hosts
    @pytest.mark.parametrize("shared", [False, True])
    def test_a_port_that_somebody_listens_on_is_refused(self, stack: ExitStack, host: str, shared: bool) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        taken = stack.enter_context(socket.socket(family))
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        taken.bind((host, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"^port {port} is already in use$"):
            Reservation(host, port)

    def test_the_port_of_a_node_that_serves_is_refused(self, stack: ExitStack) -> None:
        (address,) = stack.enter_context(Reservation("127.0.0.1", 0)).addresses
        listening(stack, address)
        with pytest.raises(CannotStart, match="already in use"):
            Reservation(*address)

    def test_a_port_is_free_again_when_it_is_given_back(self, stack: ExitStack) -> None:
        with Reservation("127.0.0.1", free_port()) as first:
            (address,) = first.addresses
        assert stack.enter_context(Reservation(*address)).addresses == (address,)

    def test_a_port_can_be_had_again_while_old_connections_fade(self, stack: ExitStack) -> None:
        """The server closed first: for a minute the kernel keeps the connection in TIME_WAIT."""
        with Reservation("127.0.0.1", free_port()) as first, closing(listener(first.addresses[0])) as worker:
            (address,) = first.addresses
            worker.listen()
            with connect(*address) as client:
                worker.accept()[0].close()
                assert client.recv(1) == b""
        stack.enter_context(Reservation(*address))
        listening(stack, address)

    @needs_ipv6
    def test_localhost_is_both_addresses_with_one_port(self, stack: ExitStack) -> None:
        addresses = stack.enter_context(Reservation("localhost", 0)).addresses
        assert [host for host, _ in addresses] == ["127.0.0.1", "::1"]
        assert len({port for _, port in addresses}) == 1
        for address in addresses:
            worker = listening(stack, address)
            with connect(*address):
                worker.accept()[0].close()

    @needs_ipv6
    def test_one_of_two_addresses_taken_is_refused_and_the_other_given_back(self, stack: ExitStack) -> None:
        port = free_port()
        taken = stack.enter_context(socket.socket(socket.AF_INET6))
        taken.bind(("::1", port))
        taken.listen()
        with pytest.raises(CannotStart, match=f"^port {port} is already in use$"):
            Reservation("localhost", port)
        stack.enter_context(Reservation("127.0.0.1", port))

    @needs_ipv6
    def test_ipv6_leaves_ipv4_to_others(self, stack: ExitStack) -> None:
        (address,) = stack.enter_context(Reservation("::", free_port())).addresses
        stack.enter_context(Reservation("0.0.0.0", address[1]))


class TestRefusing:
    """One sentence that says what cannot be."""

    def test_a_host_that_nobody_knows(self) -> None:
        with pytest.raises(CannotStart, match=re.escape("ROOST_HOST no.such.host.invalid")):
            Reservation("no.such.host.invalid", 0)

    def test_an_address_of_another_machine(self) -> None:
        with pytest.raises(CannotStart, match=re.escape("192.0.2.1")):
            Reservation("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("address", "expected"),
    [(("127.0.0.1", 4000), "http://127.0.0.1:4000"), (("::1", 4000), "http://[::1]:4000")],
)
def test_where_a_browser_finds_it(address: tuple[str, int], expected: str) -> None:
    assert url(address) == expected
