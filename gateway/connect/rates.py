"""How often a client, or an address, may connect, join and send events: token buckets. Pure."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

from roost.gateway.connect.capacity import owner_of

MAX_ADDRESSES: Final = 65_536
"""Addresses of which is remembered what they did; with one more the one heard longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a second on average, and so many at once."""

    a_second: float
    at_once: int

    def __post_init__(self) -> None:
        if not self.a_second > 0:
            raise ValueError(f"a rate is more than 0 a second, not {self.a_second!r}")
        if self.at_once < 1:
            raise ValueError(f"a rate allows at least 1 at once, not {self.at_once!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What clients of a mount may do how often; None for no limit. Addresses are counted by each worker for itself.

    Of an IPv6 address the first half counts, as with connections.
    """

    connects_an_address: Rate | None = None
    joins_a_socket: Rate | None = None
    joins_an_address: Rate | None = None
    events_a_socket: Rate | None = None
    events_an_address: Rate | None = None

    @property
    def limits_messages(self) -> bool:
        """Whether anything but connects is limited."""
        return any(getattr(self, one.name) is not None for one in fields(self) if one.name != "connects_an_address")


class Bucket:
    """What is left of one rate for one client or address."""

    __slots__ = ("_left", "_rate", "_time")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._left = float(rate.at_once)
        self._time = now

    def wait(self, now: float) -> float:
        """Seconds until one more is allowed; 0 if it is now."""
        rate = self._rate
        self._left = min(rate.at_once, self._left + (now - self._time) * rate.a_second)
        self._time = now
        return 0.0 if self._left >= 1 else (1 - self._left) / rate.a_second

    def take(self) -> None:
        """One more is done."""
        self._left -= 1


class AddressBuckets:
    """One rate for each address."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def of(self, address: str | None, now: float) -> Bucket:
        """The bucket of an address; those whose address is not known share one."""
        owner = "" if address is None else owner_of(address)
        bucket = self._buckets.get(owner)
        if bucket is None:
            bucket = self._buckets[owner] = Bucket(self._rate, now)
            if len(self._buckets) > MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(owner)
        return bucket


class RateLimiter:
    """The rates of one mount in one worker."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self._connects = _by_address(rates.connects_an_address)
        self._joins = _by_address(rates.joins_an_address)
        self._events = _by_address(rates.events_an_address)

    def connect(self, address: str | None, now: float) -> float:
        """Count a connection of this address. Answers the seconds for which it must wait; 0 if it may connect."""
        return _take([self._connects.of(address, now)] if self._connects else [], now)

    def client(self, address: str | None, now: float) -> "ClientRates":
        """The rates of a client that has connected."""
        rates = self.rates
        return ClientRates(
            _buckets(rates.joins_a_socket, self._joins, address, now),
            _buckets(rates.events_a_socket, self._events, address, now),
        )


class ClientRates:
    """What one connected client may still do: its own buckets and those of its address."""

    __slots__ = ("_events", "_joins")

    def __init__(self, joins: list[Callable[[float], Bucket]], events: list[Callable[[float], Bucket]]) -> None:
        self._joins = joins
        self._events = events

    def join(self, now: float) -> float:
        """Count a join. Answers the seconds for which it must wait; 0 if it may be made."""
        return _take([bucket(now) for bucket in self._joins], now)

    def event(self, now: float) -> float:
        """Count an event. Answers the seconds for which it must wait; 0 if it may be handled."""
        return _take([bucket(now) for bucket in self._events], now)


def _by_address(rate: Rate | None) -> AddressBuckets | None:
    return None if rate is None else AddressBuckets(rate)


def _buckets(
    own: Rate | None, by_address: AddressBuckets | None, address: str | None, now: float
) -> list[Callable[[float], Bucket]]:
    """The client's own bucket, and its address's, which is looked up anew each time: it may have been forgotten."""
    found: list[Callable[[float], Bucket]] = []
    if own is not None:
        bucket = Bucket(own, now)
        found.append(lambda _: bucket)
    if by_address is not None:
        found.append(lambda moment: by_address.of(address, moment))
    return found


def _take(buckets: list[Bucket], now: float) -> float:
    """One from each, or none from any."""
    wait = max((bucket.wait(now) for bucket in buckets), default=0.0)
    if not wait:
        for bucket in buckets:
            bucket.take()
    return wait
