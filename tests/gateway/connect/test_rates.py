"""Rates: never more than allowed, and a client is told when it may come again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost import Channel, Endpoint, Ok, RawSocket, Socket, event
from roost.gateway.connect.rates import MAX_ADDRESSES, AddressBuckets, Bucket, Rate, RateLimiter, Rates

rates = st.builds(Rate, st.floats(0.1, 100), st.integers(1, 20))


@given(rates, st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_never_more_than_what_is_allowed_in_any_time(rate: Rate, gaps: list[float]) -> None:
    bucket = Bucket(rate, 0.0)
    now = 0.0
    taken: list[float] = []
    for gap in gaps:
        now += gap
        if not bucket.wait(now):
            bucket.take()
            taken.append(now)
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= rate.at_once + (taken[last] - start) * rate.a_second + 1e-6


@given(rates, st.integers(1, 30))
def test_after_the_wait_that_was_told_one_is_allowed(rate: Rate, asked: int) -> None:
    bucket = Bucket(rate, 0.0)
    for _ in range(asked):
        if not bucket.wait(0.0):
            bucket.take()
    wait = bucket.wait(0.0)
    assert (wait > 0) is (asked >= rate.at_once)
    assert bucket.wait(wait + 1e-6) == 0


def test_addresses_do_not_count_for_each_other_but_an_ipv6_network_does_for_itself() -> None:
    limiter = RateLimiter(Rates(connects_an_address=Rate(1, 1)))
    assert limiter.connect("10.0.0.1", 0.0) == 0
    assert limiter.connect("10.0.0.2", 0.0) == 0
    assert limiter.connect("10.0.0.1", 0.0) == 1
    assert limiter.connect("2001:db8::1", 0.0) == 0
    assert limiter.connect("2001:db8::2", 0.0) == 1


def test_one_is_taken_from_all_buckets_or_from_none() -> None:
    limiter = RateLimiter(Rates(events_a_socket=Rate(1, 5), events_an_address=Rate(1, 2)))
    one, other = limiter.client("10.0.0.1", 0.0), limiter.client("10.0.0.1", 0.0)
    assert [one.event(0.0), other.event(0.0), one.event(0.0), other.event(0.0)] == [0, 0, 1, 1]
    assert [one.event(10.0) for _ in range(2)] == [0, 0]
    assert one.join(0.0) == 0


def test_addresses_that_are_remembered_have_a_limit() -> None:
    buckets = AddressBuckets(Rate(1, 1))
    first = buckets.of("0", 0.0)
    for number in range(1, MAX_ADDRESSES + 1):
        buckets.of(str(number), 0.0)
    assert buckets.of("0", 0.0) is not first


@pytest.mark.parametrize(("a_second", "at_once"), [(0, 1), (-1, 1), (1, 0)])
def test_rates_that_allow_nothing_are_refused(a_second: float, at_once: int) -> None:
    with pytest.raises(ValueError, match="a rate"):
        Rate(a_second, at_once)


def test_a_raw_socket_has_no_joins_to_limit() -> None:
    with pytest.raises(ValueError, match="no joins and events"):
        Endpoint().mount("/raw", RawSocket, rates=Rates(joins_a_socket=Rate(1, 1)))


class BusySocket(Socket):
    """Everybody may."""


class BusyChannel(Channel[BusySocket]):
    @event("ping")
    async def ping(self, payload: Any) -> Ok:
        return Ok()


BusySocket.route("busy:*", BusyChannel)
