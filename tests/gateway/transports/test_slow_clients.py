"""WebSockets whose clients do not read, and those whose clients send without end, over real sockets on both loops."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.frames import Close, Frame, Opcode

from roost.gateway.bus.handover import hand_over
from roost.gateway.transports.websocket import MAX_FRAMES_A_TURN
from roost.shared.frames import CloseCode
from roost.shared.peer.shard_link import Frames, Handover
from tests.gateway.lone_worker import lone_worker
from tests.gateway.loops import Play
from tests.gateway.transports.test_websocket import HEARTBEAT, Connection, connected, numbered
from tests.limits import LIMIT

BOUND = 50_000


@asynccontextmanager
async def bounded() -> AsyncIterator[Connection]:
    """A client for which only so much may wait."""
    with lone_worker() as runtime:
        async with connected(runtime, max_outbound_bytes=BOUND) as connection:
            yield connection


def broadcast(one: Connection, first: int, count: int, *, runs: int = 1) -> int:
    """Hand over so many broadcasts in each of so many runs of one turn; answers how many that were."""
    outlets = [one.transport]
    handovers: list[Handover] = [
        Frames(list(outlets), [numbered(first + run * count + at, 1000) for at in range(count)], f"t:{run}")
        for run in range(runs)
    ]
    return hand_over(handovers, one.runtime.turn)


def numbers(frames: list[Frame]) -> list[int]:
    return [json.loads(bytes(frame.data))["number"] for frame in frames if frame.opcode is Opcode.TEXT]


def closed_with(frames: list[Frame]) -> int:
    assert [frame.opcode for frame in frames].index(Opcode.CLOSE) == len(frames) - 1
    return Close.parse(bytes(frames[-1].data)).code


class TestBroadcasts:
    @pytest.mark.parametrize("runs", [1, 3])
    @pytest.mark.parametrize("count", [1, 30, 400])
    def test_too_many_disconnect_and_every_one_is_in_the_books(self, play: Play, runs: int, count: int) -> None:
        async def scene() -> None:
            async with bounded() as one:
                handed = 0
                while handed < 600:
                    handed += broadcast(one, handed, count, runs=runs)
                    await asyncio.sleep(0)
                frames = await one.browser.ends()
                assert closed_with(frames) == CloseCode.TOO_SLOW
                got = numbers(frames)
                assert got == list(range(len(got)))
                await one.gone()
                assert handed == len(got) + one.runtime.drops.total()
                assert one.runtime.drops.counts()["slow_disconnect"] > 0

        play(scene)

    def test_as_much_as_the_bound_waits_and_arrives(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                count = 0
                while one.transport._waiting() < BOUND - 2000:
                    count += broadcast(one, count, 1)
                got = [json.loads(text)["number"] for text in await one.browser.texts(count)]
                assert got == list(range(count))
                broadcast(one, count, 1)
                assert json.loads((await one.browser.texts(1))[0])["number"] == count
                assert not one.transport._waiting()
                assert one.transport.descriptor != -1
                assert one.runtime.drops.total() == 0

        play(scene)

    def test_what_waits_arrives_before_a_close(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                count = 0
                while one.transport._waiting() < BOUND - 2000:
                    count += broadcast(one, count, 1)
                one.transport.close(CloseCode.SERVICE_RESTART)
                late = broadcast(one, count, 2)
                frames = await one.browser.ends()
                assert closed_with(frames) == CloseCode.SERVICE_RESTART
                assert numbers(frames) == list(range(count))
                assert one.runtime.drops.counts()["closed"] == late

        play(scene)

    def test_what_waits_for_a_client_that_goes_is_counted(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                count = 0
                while one.transport._waiting() < BOUND - 2000:
                    count += broadcast(one, count, 1)
                outbox = one.transport._outbox
                assert outbox is not None
                waiting = outbox.broadcasts
                one.transport.send(numbered(0))  # no broadcast, so not counted
                one.browser.vanish()
                await one.gone()
                assert one.runtime.drops.counts()["closed"] == waiting > 10

        play(scene)


class TestReplies:
    def test_a_client_that_pings_and_does_not_read_is_not_read_from(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                payload = b"x" * 125
                sending = asyncio.ensure_future(ping(one, payload, 3000))
                async with asyncio.timeout(LIMIT):
                    while not one.transport._unread_by_client:
                        await asyncio.sleep(0)
                assert not sending.done()
                assert one.transport._waiting() <= BOUND + MAX_FRAMES_A_TURN * 127
                for _ in range(3000):
                    assert bytes((await one.browser.frame()).data) == payload
                await sending

        async def ping(one: Connection, payload: bytes, count: int) -> None:
            for _ in range(count):
                await one.browser.ping(payload)

        play(scene)

    def test_one_that_never_reads_what_it_asked_for_is_closed_in_the_end(self, play: Play) -> None:
        """It is not read from, so it cannot be heard: the limit for silence is that for reading, too."""

        async def scene() -> None:
            async with bounded() as one:
                while one.transport._waiting() <= BOUND:
                    one.transport.send(numbered(0, 1000))
                    one.transport.flush()
                one.transport.silent()
                assert closed_with(await one.browser.ends()) == CloseCode.TOO_SLOW

        play(scene)

    def test_pushes_are_bounded_too(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                most = 0
                while not one.transport._closing():
                    one.transport.send(numbered(0, 1000))
                    one.transport.flush()
                    most = max(most, one.transport._waiting())
                assert 4 * BOUND - 2000 < most <= 4 * BOUND
                assert closed_with(await one.browser.ends()) == CloseCode.TOO_SLOW

        play(scene)

    def test_what_waits_for_an_echo_counts(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                one.transport.hold(BOUND + 1)
                await one.browser.send(HEARTBEAT % 1)
                for _ in range(10):
                    await asyncio.sleep(0)
                assert one.transport._unread_by_client
                one.transport.release(BOUND + 1)
                assert json.loads((await one.browser.texts(1))[0])[1] == "1"
                for _ in range(4):
                    one.transport.hold(BOUND)
                assert not one.transport._closing()
                one.transport.hold(1)
                assert closed_with(await one.browser.ends()) == CloseCode.TOO_SLOW

        play(scene)


class TestFloods:
    def test_a_turn_handles_so_many_frames_of_one_client(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                count = 10 * MAX_FRAMES_A_TURN
                text = (HEARTBEAT % 1).encode()
                one.transport.data_received((bytes((0x81, 0x80 | len(text))) + bytes(4) + text) * count)
                turns = 1
                while one.transport._reader.unread:
                    turns += 1
                    await asyncio.sleep(0)
                assert turns >= 10
                await one.browser.texts(count)

        play(scene)

    def test_while_it_waits_nothing_more_is_handled(self, play: Play) -> None:
        async def scene() -> None:
            async with bounded() as one:
                one.transport.pause_reading()
                text = (HEARTBEAT % 1).encode()
                one.transport.data_received((bytes((0x81, 0x80 | len(text))) + bytes(4) + text) * 3)
                for _ in range(10):
                    await asyncio.sleep(0)
                assert one.transport._collected is None
                one.transport.resume_reading()
                assert len(await one.browser.texts(3)) == 3

        play(scene)
