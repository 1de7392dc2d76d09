"""Time that a test moves, and what a failing assertion says."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from roost import Channel, Endpoint, Ok, Presence, Socket, event
from roost.testing import ANY, ClientChannel, LocalNode, local_node
from roost.testing.frozen_clock import FrozenClock

presence = Presence()


class HallSocket(Socket):
    """Everybody may."""


class HallChannel(Channel[HallSocket]):
    async def joined(self) -> None:
        self.send_after(1.0, 1)
        await presence.track(self, "ada", {})
        await presence.push_state(self)

    async def handle_info(self, message: Any) -> None:
        await self.push("tick", {"n": message})
        self.send_after(1.0, message + 1)

    @event("slow")
    async def slow(self, payload: Any) -> Ok:
        await asyncio.sleep(payload["seconds"])
        return Ok({"done": True})

    @event("hasty")
    async def hasty(self, _: Any) -> Ok:
        try:
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        except TimeoutError:
            return Ok({"late": True})
        return Ok()

    @event("thread")
    async def thread(self, _: Any) -> Ok:
        return Ok({"sum": await asyncio.get_running_loop().run_in_executor(None, sum, [1, 2])})

    @event("echo")
    async def echo(self, payload: Any) -> Ok:
        return Ok(payload)


HallSocket.route("hall:*", HallChannel)


@pytest.fixture
async def node() -> AsyncIterator[LocalNode]:
    async with local_node(Endpoint(sockets={"/socket": HallSocket}, presences=[presence])) as node:
        yield node


@pytest.fixture
async def hall(node: LocalNode) -> ClientChannel:
    return await (await node.connect(HallSocket)).subscribe_and_join("hall:a")


class TestTime:
    async def test_stands_still_until_it_is_moved(self, node: LocalNode, hall: ClientChannel) -> None:
        await hall.refute_push("tick")
        await node.advance(0.999)
        await hall.refute_push("tick")
        await node.advance(0.001)
        await hall.assert_push("tick", {"n": 1})
        await hall.refute_push("tick")

    async def test_what_is_due_on_the_way_happens_in_its_order(self, node: LocalNode, hall: ClientChannel) -> None:
        await node.advance(5.5)
        assert [(await hall.assert_push("tick"))["n"] for _ in range(5)] == [1, 2, 3, 4, 5]
        await hall.refute_push("tick")

    async def test_sleeps_are_timers_too(self, node: LocalNode, hall: ClientChannel) -> None:
        ref = hall.push("slow", {"seconds": 3600})
        await node.advance(3599)
        await hall.refute_reply(ref)
        await node.advance(1)
        await hall.assert_reply(ref, "ok", {"done": True})

    async def test_so_are_time_outs(self, node: LocalNode, hall: ClientChannel) -> None:
        ref = hall.push("hasty")
        await node.advance(5)
        await hall.assert_reply(ref, "ok", {"late": True})

    async def test_threads_are_waited_for(self, hall: ClientChannel) -> None:
        await hall.assert_reply(hall.push("thread"), "ok", {"sum": 3})

    async def test_the_loop_has_its_own_clock_again_afterwards(self) -> None:
        loop = asyncio.get_running_loop()
        clock = FrozenClock(loop)
        still = loop.time()
        assert loop.time() == still == clock.now()
        clock.thaw()
        assert loop.time() > still

    async def test_what_is_due_a_moment_later_is_not_called_before(self) -> None:
        loop = asyncio.get_running_loop()
        clock = FrozenClock(loop)
        called: list[float] = []
        loop.call_at(math.nextafter(clock.now() + 1, math.inf), lambda: called.append(loop.time()))
        await clock.advance(1)
        assert called == []
        await clock.advance(1e-9)
        assert called
        clock.thaw()

    async def test_what_never_ends_is_said(self, node: LocalNode) -> None:
        async def forever() -> None:
            while True:
                await asyncio.sleep(0)

        task = asyncio.ensure_future(forever())
        with pytest.raises(RuntimeError, match="something still goes on"):
            await node.advance(1)
        task.cancel()

    def test_uvloop_is_refused_with_a_sentence(self) -> None:
        async def scene() -> None:
            with pytest.raises(TypeError, match="run these tests on asyncio's own loop"):
                FrozenClock(asyncio.get_running_loop())

        uvloop.run(scene())


class TestPresence:
    async def test_works_as_on_a_node(self, node: LocalNode, hall: ClientChannel) -> None:
        state = await hall.assert_push("presence_state")
        assert list(state) == ["ada"]
        other = await (await node.connect(HallSocket)).join("hall:a")
        await node.advance(1)
        await hall.assert_push("presence_diff", lambda diff: list(diff["joins"]) == ["ada"])
        await other.socket.close()
        await node.advance(1)
        await hall.assert_push("presence_diff", lambda diff: list(diff["leaves"]) == ["ada"])


class TestFailures:
    """A failing assertion shows what did arrive."""

    async def test_a_push_that_did_not_come(self, node: LocalNode, hall: ClientChannel) -> None:
        await node.broadcast("hall:a", "news", {"n": 1})
        with pytest.raises(AssertionError) as failure:
            await hall.assert_push("news", {"n": 2})
        assert """no 'news' with {"n": 2} was pushed; what did arrive:""" in str(failure.value)
        assert """'news' on 'hall:a': {"n": 1}""" in str(failure.value)
        assert "time stands still: the next timer is due in" in str(failure.value)

    async def test_a_push_that_came(self, node: LocalNode, hall: ClientChannel) -> None:
        await node.broadcast("hall:a", "news", {"n": 1})
        with pytest.raises(AssertionError, match="'news' with any payload was not to come, but it did"):
            await hall.refute_push("news")

    async def test_a_reply_of_another_kind(self, hall: ClientChannel) -> None:
        with pytest.raises(AssertionError, match=r'ref \d was to be answered error {"n": 2}, not ok {"n": 1}'):
            await hall.assert_reply(hall.push("echo", {"n": 1}), "error", {"n": 2})

    async def test_a_reply_that_did_not_come(self, hall: ClientChannel) -> None:
        with pytest.raises(AssertionError, match="no reply to ref 99 came"):
            await hall.assert_reply("99")

    async def test_a_broadcast_that_did_not_come(self, node: LocalNode, hall: ClientChannel) -> None:
        await node.subscribe("hall:b")
        await node.send("hall:b", "plain")
        await hall.assert_broadcast("presence_diff")
        with pytest.raises(AssertionError, match="was broadcast on 'hall:b'; what was:\n  a plain message: 'plain'"):
            await node.assert_broadcast("hall:b", "news")

    async def test_a_broadcast_that_came(self, node: LocalNode, hall: ClientChannel) -> None:
        await node.broadcast("hall:a", "news", {"n": 1})
        with pytest.raises(AssertionError, match="was not to be broadcast"):
            await hall.refute_broadcast("news")

    async def test_a_topic_without_a_subscription(self, node: LocalNode) -> None:
        with pytest.raises(RuntimeError, match="join with `subscribe_and_join`"):
            await node.refute_broadcast("hall:a", "news")

    async def test_a_connection_that_stands(self, hall: ClientChannel) -> None:
        with pytest.raises(AssertionError, match="to be closed with 1001: it stands"):
            await hall.socket.assert_closed(1001)


async def test_anything_stands_for_a_part_of_a_payload(node: LocalNode, hall: ClientChannel) -> None:
    await node.broadcast("hall:a", "news", {"n": 1, "at": 17.5})
    assert await hall.assert_push("news", {"n": 1, "at": ANY}) == {"n": 1, "at": 17.5}


async def test_binary_payloads_are_bytes(hall: ClientChannel) -> None:
    await hall.assert_reply(hall.push("echo", b"\x00\x01"), "ok", b"\x00\x01")


async def test_a_broadcast_from_the_test_is_not_seen_by_it(node: LocalNode, hall: ClientChannel) -> None:
    await node.broadcast_from("hall:a", "news", {})
    await hall.assert_push("news")
    await hall.refute_broadcast("news")
