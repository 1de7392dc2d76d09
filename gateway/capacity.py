"""How many connections a worker has room for, in all and for one address, and whom it turns away. Pure.

A worker goes on accepting when it is full, and answers: with SO_REUSEPORT the kernel would go on queueing clients for a
worker that does not accept. Those that are about to be answered so have a limit too, past which they are cut off.
"""

from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Final

from roost.shared.limits import Limits

MAX_TURNED_AWAY: Final = 1024
"""Connections that wait for their refusal; beyond them a new one is cut without one, and counted."""
RETRY_AFTER: Final = 5
"""Seconds after which a client that was turned away may come again."""


class Capacity:
    """Counts a worker's connections, of whatever kind, from accept to close."""

    def __init__(self, limits: Limits, descriptors: int) -> None:
        """`descriptors` is how many connections the process can hold, whatever its limits say."""
        self.limits = limits
        """May be replaced at any time; connections that there are stay."""
        self.connections = 0
        self.turned_away = 0
        """Connections that were answered 503 or 429, since the worker started."""
        self.cut = 0
        """Connections that were not even answered, since the worker started."""
        self._descriptors = descriptors
        self._waiting = 0
        self._by_address: dict[str, int] = {}

    @property
    def max_connections(self) -> int:
        """Connections that are let in: the limit, or what the process can hold."""
        return min(self.limits.max_connections, self._descriptors)

    def enter(self, address: str) -> "Place | None":
        """A place for a new connection, which may be one to be turned away; None if it is to be cut."""
        address = _network(address)
        refusal = self._refusal(address)
        if refusal is None:
            self.connections += 1
            self._by_address[address] = self._by_address.get(address, 0) + 1
        elif self._waiting < MAX_TURNED_AWAY:
            self._waiting += 1
            self.turned_away += 1
        else:
            self.cut += 1
            return None
        return Place(self, address, refusal)

    def leave(self, address: str, *, admitted: bool) -> None:
        """A connection is gone; told by its place."""
        if not admitted:
            self._waiting -= 1
            return
        self.connections -= 1
        left = self._by_address[address] - 1
        if left:
            self._by_address[address] = left
        else:
            del self._by_address[address]

    def _refusal(self, address: str) -> HTTPStatus | None:
        if self.connections >= self.max_connections:
            return HTTPStatus.SERVICE_UNAVAILABLE
        per_address = self.limits.max_connections_per_address
        if per_address and self._by_address.get(address, 0) >= per_address:
            return HTTPStatus.TOO_MANY_REQUESTS
        return None


class Place:
    """One connection among those that are counted."""

    __slots__ = ("_address", "_capacity", "_taken", "refusal")

    def __init__(self, capacity: Capacity, address: str, refusal: HTTPStatus | None) -> None:
        self._capacity = capacity
        self._address = address
        self._taken = True
        self.refusal = refusal
        """With which status the connection is to be turned away; None if it may stay."""

    def leave(self) -> None:
        """The connection is gone; a second time nothing happens."""
        if self._taken:
            self._taken = False
            self._capacity.leave(self._address, admitted=self.refusal is None)


def _network(address: str) -> str:
    """Whom an address belongs to: with IPv6 everybody has 2^64 of them, so its first half counts."""
    if ":" not in address:
        return address
    try:
        number = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = number.ipv4_mapped
    return str(mapped) if mapped else f"{int(number) >> 64:x}::/64"
