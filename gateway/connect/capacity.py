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
        """Connections, and requests behind a proxy, that were answered 503 or 429, since the worker started."""
        self.cut = 0
        """Connections that were not even answered, since the worker started."""
        self._descriptors = descriptors
        self._waiting = 0
        self._by_owner: dict[str, int] = {}

    @property
    def max_connections(self) -> int:
        """Connections that are let in: the limit, or what the process can hold."""
        return min(self.limits.max_connections, self._descriptors)

    def enter(self, address: str | None) -> "Place | None":
        """A place for a new connection, which may be one to be turned away; None if it is to be cut.

        `address` is None for a connection of a proxy: whose it is is said later, if at all, to `Place.assign`.
        """
        owner = None if address is None else owner_of(address)
        refusal = self._refusal(owner)
        if refusal is None:
            self.connections += 1
            if owner is not None:
                self._by_owner[owner] = self._by_owner.get(owner, 0) + 1
        elif self._waiting < MAX_TURNED_AWAY:
            self._waiting += 1
            self.turned_away += 1
        else:
            self.cut += 1
            return None
        return Place(self, address, owner, refusal)

    def leave(self, owner: str | None, *, admitted: bool) -> None:
        """A connection is gone; told by its place."""
        if not admitted:
            self._waiting -= 1
            return
        self.connections -= 1
        if owner is not None:
            self.discharge(owner)

    def charge(self, owner: str) -> bool:
        """Count one more for this owner; if it has too many it is counted as turned away, and this is False."""
        if self._has_too_many(owner):
            self.turned_away += 1
            return False
        self._by_owner[owner] = self._by_owner.get(owner, 0) + 1
        return True

    def discharge(self, owner: str) -> None:
        """One of what was counted for this owner has ended."""
        left = self._by_owner[owner] - 1
        if left:
            self._by_owner[owner] = left
        else:
            del self._by_owner[owner]

    def _refusal(self, owner: str | None) -> HTTPStatus | None:
        if self.connections >= self.max_connections:
            return HTTPStatus.SERVICE_UNAVAILABLE
        if owner is not None and self._has_too_many(owner):
            return HTTPStatus.TOO_MANY_REQUESTS
        return None

    def _has_too_many(self, owner: str) -> bool:
        per_address = self.limits.max_connections_per_address
        return per_address > 0 and self._by_owner.get(owner, 0) >= per_address


class Place:
    """One connection among those that are counted."""

    __slots__ = ("_admitted", "_capacity", "_owner", "_taken", "address", "refusal")

    def __init__(self, capacity: Capacity, address: str | None, owner: str | None, refusal: HTTPStatus | None) -> None:
        self._capacity = capacity
        self._owner = owner
        self._admitted = refusal is None
        self._taken = True
        self.address = address
        """The client's address; None while only the proxy's is known."""
        self.refusal = refusal
        """With which status the connection is to be turned away; None if it may stay."""

    def assign(self, address: str) -> None:
        """A proxy's connection is the client's of this address; if that has too many, it is to be turned away."""
        if not self._taken or self._owner is not None or self.refusal is not None:
            return
        self.address = address
        owner = owner_of(address)
        if self._capacity.charge(owner):
            self._owner = owner
        else:
            self.refusal = HTTPStatus.TOO_MANY_REQUESTS

    def leave(self) -> None:
        """The connection is gone; a second time nothing happens."""
        if self._taken:
            self._taken = False
            self._capacity.leave(self._owner, admitted=self._admitted)


def owner_of(address: str) -> str:
    """Whom an address belongs to: with IPv6 everybody has 2^64 of them, so its first half counts."""
    if ":" not in address:
        return address
    try:
        number = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = number.ipv4_mapped
    return str(mapped) if mapped else f"{int(number) >> 64:x}::/64"
