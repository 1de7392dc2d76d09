"""The addresses on which a gateway listens: found, seen to be free, and kept for its workers."""

import errno
import socket
from types import TracebackType
from typing import Final, Self

from roost.shared.failures import CannotStart

Address = tuple[str, int]
"""Host address and port."""
MAX_UNSENT_BYTES: Final = 128 * 1024
"""Bytes of one connection that the kernel may hold before it has sent them; by default it would take 4 MB."""
_LOCALHOST: Final = "localhost"
_UNAVAILABLE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What a machine without IPv6 answers."""


class Reservation:
    """Holds the port, so that it stays this gateway's while its workers come and go.

    The workers' listeners share the port (SO_REUSEPORT), and so would those of another node, silently. Hence it is
    probed without sharing first.
    """

    def __init__(self, host: str, port: int) -> None:
        """Raises CannotStart if the host is unknown or the port is taken."""
        self._sockets: list[socket.socket] = []
        self.addresses: tuple[Address, ...] = ()
        for family, address in _resolve(host):
            try:
                reserved = _reserve(family, address, port)
            except OSError as error:
                if error.errno in _UNAVAILABLE and host == _LOCALHOST:
                    continue
                self.release()
                raise CannotStart(_why(error, address, port)) from None
            port = reserved.getsockname()[1]
            self._sockets.append(reserved)
            self.addresses += ((address, port),)
        if not self.addresses:
            raise CannotStart(f"ROOST_HOST {host} has no address on this machine")

    def release(self) -> None:
        """Give the port back."""
        for reserved in self._sockets:
            reserved.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def listener(address: Address) -> socket.socket:
    """A socket of one worker on a reserved address: the kernel spreads connections over those of all workers."""
    host, port = address
    return _bound(socket.AF_INET6 if ":" in host else socket.AF_INET, host, port, shared=True)


def url(address: Address, scheme: str = "http") -> str:
    """Where a browser finds it."""
    host, port = address
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _resolve(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if host == _LOCALHOST:
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotStart(f"ROOST_HOST {host} cannot be resolved: {error.strerror}") from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _reserve(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Bind twice: once alone, to see that nobody else has the port, then shared and for good."""
    with _bound(family, address, port, shared=False) as probe:
        port = probe.getsockname()[1]
    return _bound(family, address, port, shared=True)


def _bound(family: socket.AddressFamily, address: str, port: int, *, shared: bool) -> socket.socket:
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Connections inherit it. What the kernel has not sent yet, it would hold megabytes of for a slow client.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound


def _why(error: OSError, address: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is already in use"
    return f"cannot listen on {address} port {port}: {error.strerror}"
