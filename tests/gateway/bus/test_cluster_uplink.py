"""The bus of a worker that has a bridge: what it is told, and what is refused."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from roost.broker.pool import fresh
from roost.gateway.bus.cluster_uplink import ClusterUplink
from roost.gateway.transports.turn import Turn
from roost.shared.bus import Form, Lane, Reach
from roost.shared.cluster import Interest, Listening
from roost.shared.crossing import Crossing, PayloadTooLarge, bucket_of, encode_direct, pack_buckets, unpack_buckets
from roost.shared.peer.audience import Subscription
from roost.shared.run_directory import RunDirectory
from roost.shared.shard_map import EMPTY
from roost.shared.topics import BRIDGE
from tests.limits import LIMIT
from tests.shared.processes import short_directory


class Inbox:
    def __init__(self, stands_behind: str | None = None) -> None:
        self.stands_behind = stands_behind
        self.confirmations: list[Subscription] = []

    def confirmed(self, subscription: Subscription) -> None:
        self.confirmations.append(subscription)


@contextmanager
def bridged() -> Iterator[tuple[ClusterUplink, "asyncio.Queue[Interest]"]]:
    """An uplink whose shards never answer, and what it tells the bridge."""
    loop = asyncio.get_running_loop()
    with short_directory() as path:
        run_dir = RunDirectory.open(str(path / "run"))
        run_dir.write_map(fresh(EMPTY, 1))
        told: asyncio.Queue[Interest] = asyncio.Queue()
        uplink = ClusterUplink(run_dir, 7, Turn(loop), loop, told.put_nowait)
        try:
            yield uplink, told
        finally:
            uplink.close()


async def next_buckets(told: "asyncio.Queue[Interest]") -> frozenset[int]:
    async with asyncio.timeout(LIMIT):
        return unpack_buckets((await told.get()).buckets)


async def test_what_a_turn_brings_is_told_at_its_end() -> None:
    with bridged() as (uplink, told):
        assert await next_buckets(told) == frozenset()
        for topic in ("room:1", "room:2"):
            uplink.subscribe(1, topic, Lane.LETTER, (), None, Inbox())
        assert told.empty()
        assert await next_buckets(told) == {bucket_of("room:1"), bucket_of("room:2")}
        uplink.tell_interest_again()
        assert await next_buckets(told) == {bucket_of("room:1"), bucket_of("room:2")}


async def test_a_subscription_waits_for_its_shard_and_for_the_bridge() -> None:
    with bridged() as (uplink, told):
        inbox = Inbox()
        subscription = uplink.subscribe(1, "room:1", Lane.LETTER, (), None, inbox)
        await next_buckets(told)
        uplink._delivery._waiting[subscription] = {uplink.epoch}  # its shard has confirmed it
        uplink.listens(Listening({7: 1}, pack_buckets(set()), 1000, ()))
        assert not inbox.confirmations
        uplink.listens(Listening({7: 1}, pack_buckets({bucket_of("room:1")}), 1000, ()))
        assert inbox.confirmations == [subscription]
        assert subscription.standing


async def test_who_has_joined_hears_what_closes_its_socket_from_any_node() -> None:
    with bridged() as (uplink, told):
        by_id, channel = Inbox(), Inbox(stands_behind="users:ada")
        first = uplink.subscribe(1, "users:ada", Lane.LETTER, (), None, by_id)
        second = uplink.subscribe(1, "room:1", Lane.LETTER, (), None, channel)
        await next_buckets(told)
        for subscription in (first, second):
            uplink._delivery._waiting[subscription] = {uplink.epoch}
        uplink.listens(Listening({7: 1}, pack_buckets({bucket_of("room:1")}), 1000, ()))
        assert not channel.confirmations
        uplink.listens(Listening({7: 1}, pack_buckets({bucket_of("room:1"), bucket_of("users:ada")}), 1000, ()))
        assert (by_id.confirmations, channel.confirmations) == ([first], [second])


async def test_unsubscribing_twice_counts_once() -> None:
    with bridged() as (uplink, _):
        one, _ = [uplink.subscribe(1, "room:1", Lane.LETTER, (), None, Inbox()) for _ in range(2)]
        uplink.unsubscribe(one)
        uplink.unsubscribe(one)
        assert uplink._interest._subscribers == {bucket_of("room:1"): 1}


async def test_what_the_engine_does_not_take_is_refused_to_who_publishes_it() -> None:
    with bridged() as (uplink, _):
        large = b"x" * 1001
        assert uplink.publish_now("room:1", Form.JSON, "news", large)
        uplink.listens(Listening({}, pack_buckets(set()), 1000, ()))
        with pytest.raises(PayloadTooLarge, match=r"1001 bytes .* 1000 is"):
            uplink.publish_now("room:1", Form.JSON, "news", large)
        direct = encode_direct("b", Crossing("room:1", Form.JSON, "news", large))
        with pytest.raises(PayloadTooLarge):
            uplink.publish_now(BRIDGE, Form.PLAIN, "", direct, reach=Reach.NODE)
        with pytest.raises(PayloadTooLarge, match="10 bytes with 2004 characters"):
            uplink.publish_now("x" * 2000, Form.JSON, "news", large[:10])
        published = uplink.published
        assert uplink.publish_now("room:1", Form.JSON, "news", large, reach=Reach.NODE) == published + 1
        assert uplink.publish_now("room:1", Form.JSON, "news", large[1:]) == published + 2
