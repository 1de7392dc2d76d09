"""One long-poll session: which poll gets what, how long posts wait, what gives way when nobody polls."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from roost.gateway.bus.handover import hand_over
from roost.gateway.clients.client import Client
from roost.gateway.clients.runtime import Runtime
from roost.gateway.connect.mount import LongPoll
from roost.gateway.endpoint import Endpoint
from roost.gateway.socket import Socket
from roost.gateway.telemetry import ClientTooSlow
from roost.gateway.transports.idle_wheel import IdleWheel
from roost.gateway.transports.long_poll_messages import ClientMessage
from roost.gateway.transports.long_poll_session import LongPollSession
from roost.shared.frames import CloseCode, binary_frame, ping_frame, text_frame
from roost.shared.peer.shard_link import Frames
from roost.shared.serializer import V2
from tests.gateway.lone_worker import lone_worker
from tests.gateway.loops import Play
from tests.limits import LIMIT

BOUND = 10_000


class Session:
    """A session and what it answered."""

    def __init__(self, runtime: Runtime, window: float) -> None:
        self.runtime = runtime
        self.over = asyncio.Event()
        options = LongPoll(window=window, max_outbound_bytes=BOUND)
        wheel: IdleWheel[LongPollSession] = IdleWheel(1.5 * window, runtime.now())
        self.transport = LongPollSession(options, runtime.turn, wheel, runtime.drops, self.over.set)
        socket = Socket()
        socket.number = runtime.next_number()
        socket.endpoint = Endpoint()
        self.client = Client(runtime, socket, V2, self.transport)
        self.transport.open(self.client)

    def poll(self, name: str) -> "asyncio.Future[list[str]]":
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self.transport.poll(name, answer.set_result)
        return answer

    def post(self, *messages: Any) -> "asyncio.Future[int]":
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        lines = [ClientMessage(json.dumps(message).encode(), binary=False) for message in messages]
        self.transport.post(lines, answer.set_result)
        return answer

    def broadcast(self, *frames: bytes) -> None:
        hand_over([Frames([self.transport], list(frames), "t")], self.runtime.turn)

    async def ends(self) -> None:
        async with asyncio.timeout(LIMIT):
            await self.over.wait()
        assert self.client.closed_by


@asynccontextmanager
async def begun(window: float = 60.0) -> AsyncIterator[Session]:
    with lone_worker() as runtime:
        session = Session(runtime, window)
        yield session
        session.transport.close(CloseCode.GOING_AWAY)
        await session.ends()


class TestPolls:
    def test_the_newest_gets_what_comes_and_the_older_one_its_window(self, play: Play) -> None:
        async def scene() -> None:
            async with begun(window=1.0) as one:
                older, newest = one.poll("older"), one.poll("newest")
                one.broadcast(text_frame(b"a"), text_frame(b"b"))
                assert await newest == ["a", "b"]
                assert not older.done()
                assert await older == []

        play(scene)

    def test_what_came_before_is_answered_at_once(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                one.transport.send(text_frame(b"a"))
                one.broadcast(text_frame(b"b"))
                one.transport.send(text_frame(b"c"))
                assert one.poll("first").result() == ["a", "b", "c"]
                waiting = one.poll("second")
                await asyncio.sleep(0)
                assert not waiting.done()

        play(scene)

    def test_what_polls_bring_and_take_is_counted(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                one.broadcast(text_frame(b"a"), text_frame(b"bc"))
                one.transport.send(text_frame(b"def"))
                heartbeat: list[Any] = [None, "1", "phoenix", "heartbeat", {}]
                async with asyncio.timeout(LIMIT):
                    assert await one.post(heartbeat) == 200
                answered = len(one.poll("first").result()[-1])
                traffic = one.runtime.turn.traffic
                assert (traffic.broadcasts_sent, traffic.replies_sent) == (2, 2)
                assert traffic.bytes_sent == sum(2 + size for size in (1, 2, 3, answered))
                assert (traffic.messages_received, traffic.bytes_received) == (1, len(json.dumps(heartbeat)))

        play(scene)

    def test_a_poll_that_is_ended_takes_nothing_along(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                abandoned = one.poll("abandoned")
                one.transport.end_poll("abandoned")
                one.transport.end_poll("abandoned")
                assert abandoned.result() == []
                one.broadcast(text_frame(b"a"))
                await asyncio.sleep(0)
                assert one.poll("next").result() == ["a"]

        play(scene)

    def test_a_session_that_ends_answers_all_polls(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                older, newest = one.poll("older"), one.poll("newest")
                one.transport.send(text_frame(b"last"))
                one.transport.close(CloseCode.SERVICE_RESTART)
                assert (older.result(), newest.result()) == ([], ["last"])
                assert one.poll("late").result() == []

        play(scene)


class TestPosts:
    def test_one_can_wait_for_a_client_that_is_not_read_from(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                one.transport.pause_reading()
                waiting = one.post([None, "1", "phoenix", "heartbeat", {}])
                await asyncio.sleep(0)
                assert await one.post([None, "2", "phoenix", "heartbeat", {}]) == 408
                assert not waiting.done()
                one.transport.resume_reading()
                assert await waiting == 200
                assert [json.loads(text)[1] for text in await one.poll("poll")] == ["1"]

        play(scene)

    def test_it_waits_for_a_window(self, play: Play) -> None:
        async def scene() -> None:
            async with begun(window=1.0) as one:
                one.transport.pause_reading()
                assert await one.post([None, "1", "phoenix", "heartbeat", {}]) == 408
                one.transport.resume_reading()
                assert await one.post([None, "2", "phoenix", "heartbeat", {}]) == 200
                assert [json.loads(text)[1] for text in await one.poll("poll")] == ["2"]

        play(scene)

    def test_it_waits_until_the_client_polls_what_waits_for_it(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                one.transport.send(text_frame(b"x" * 2 * BOUND))
                waiting = one.post([None, "1", "phoenix", "heartbeat", {}])
                await asyncio.sleep(0)
                assert not waiting.done()
                assert len(await one.poll("first")) == 1
                assert await waiting == 200
                assert len(await one.poll("second")) == 1

        play(scene)

    def test_a_message_that_cannot_be_read_ends_the_session(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                assert await one.post("no array", [None, "1", "phoenix", "heartbeat", {}]) == 408
                await one.ends()

        play(scene)


class TestKindsOfFrames:
    """There are texts, and nothing else."""

    def test_a_binary_message_is_the_senders_mistake_and_a_ping_goes_nowhere(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                with pytest.raises(TypeError, match="polls"):
                    one.transport.send(binary_frame(b"bytes"))
                one.transport.send(ping_frame(b"ping"))
                one.transport.send(text_frame(b"text"))
                assert await one.poll("first") == ["text"]

        play(scene)


class TestLimits:
    def test_past_the_bound_the_session_ends_and_every_broadcast_is_in_the_books(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                for number in range(30):
                    one.broadcast(text_frame(b"%d" % number + b"x" * 500))
                await one.ends()
                counts = one.runtime.drops.counts()
                assert sum(counts.values()) == 30
                assert counts["slow_disconnect"] > BOUND // 600

        play(scene)

    def test_a_client_that_is_too_slow_is_told_of_once(self, play: Play) -> None:
        async def scene() -> None:
            heard: list[ClientTooSlow] = []
            async with begun() as one:
                one.runtime.telemetry.attach(ClientTooSlow, heard.append)
                one.transport.hold(4 * BOUND)
                for _ in range(3):
                    one.transport.hold(1)
                await one.ends()
                (event,) = heard
                assert (event.socket, event.waiting) == (one.client.socket, 4 * BOUND + 1)

        play(scene)

    def test_replies_have_four_times_the_room(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                for _ in range(4):
                    one.transport.send(text_frame(b"x" * (BOUND - 10)))
                assert not one.transport.closed
                one.transport.send(text_frame(b"x" * BOUND))
                await one.ends()

        play(scene)

    def test_what_is_held_elsewhere_counts(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                one.transport.hold(4 * BOUND)
                assert not one.transport.closed
                one.transport.hold(1)
                await one.ends()

        play(scene)

    def test_binary_broadcasts_pass_it_by(self, play: Play) -> None:
        async def scene() -> None:
            async with begun() as one:
                one.broadcast(text_frame(b"a"), binary_frame(b"\xff"), text_frame(b"b"))
                assert one.poll("poll").result() == ["a", "b"]
                assert one.runtime.drops.counts()["no_binary"] == 1

        play(scene)

    def test_who_does_not_poll_is_gone(self, play: Play) -> None:
        async def scene() -> None:
            async with begun(window=1.0) as one:
                wheel: Any = one.transport._wheel
                now = one.runtime.now()
                silent = [gone for step in range(1, 20) for gone in wheel.turn(now + step * 1.5 / 8)]
                assert silent == [one.transport]
                one.transport.silent()
                await one.ends()

        play(scene)
