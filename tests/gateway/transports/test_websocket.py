"""A client's WebSocket over a real socket, on both loops: in order, complete, and nothing after the close."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from roost.gateway.bus.handover import hand_over
from roost.gateway.clients.client import Client
from roost.gateway.clients.runtime import Runtime
from roost.gateway.socket import Socket
from roost.gateway.transports import websocket as websocket_module
from roost.gateway.transports.idle_wheel import IdleWheel
from roost.gateway.transports.websocket import WebSocketTransport
from roost.shared.frames import CloseCode, text_frame
from roost.shared.peer.shard_link import Frames, Handover
from roost.shared.serializer import V2
from tests.gateway.lone_worker import lone_worker
from tests.gateway.loops import Play
from tests.limits import LIMIT

HEARTBEAT = '[null,"%d","phoenix","heartbeat",{}]'


class Browser:
    """The other end: reads when it is told to, through the websockets library."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0)
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._protocol = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN, max_size=None)
        self._frames: list[Frame] = []
        self.gone = False

    async def send(self, *messages: str) -> None:
        for message in messages:
            self._protocol.send_text(message.encode())
        await self._flush()

    async def ping(self, payload: bytes) -> None:
        self._protocol.send_ping(payload)
        await self._flush()

    async def send_bytes(self, data: bytes) -> None:
        await asyncio.wait_for(self._loop.sock_sendall(self._end, data), LIMIT)

    async def close(self, code: int) -> None:
        self._protocol.send_close(code)
        await self._flush()

    async def frame(self) -> Frame:
        """The next frame; our answer to a close is sent by itself."""
        while not self._frames:
            await self._read()
            assert self._frames or not self.gone, "the connection ended"
        return self._frames.pop(0)

    async def texts(self, count: int) -> list[str]:
        return [bytes((await self.frame()).data).decode() for _ in range(count)]

    async def ends(self) -> list[Frame]:
        """Everything up to the end of the connection."""
        while not self.gone:
            await self._read()
        return self._frames

    async def _read(self) -> None:
        try:
            data = await asyncio.wait_for(self._loop.sock_recv(self._end, 65536), LIMIT)
        except ConnectionError:
            data = b""
        self.gone = not data
        if data:
            self._protocol.receive_data(data)
            self._frames += [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            assert self._protocol.parser_exc is None
            await self._flush()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await self.send_bytes(data)

    def vanish(self) -> None:
        self._end.close()


class Connection:
    """One connected client of a worker, with its browser."""

    def __init__(self, runtime: Runtime, transport: WebSocketTransport, client: Client, browser: Browser) -> None:
        self.runtime = runtime
        self.transport = transport
        self.client = client
        self.browser = browser

    async def gone(self) -> None:
        """Wait until the worker has noticed the end of the connection."""
        async with asyncio.timeout(LIMIT):
            while self.client.socket.number in self.runtime.clients:
                await asyncio.sleep(0)


class First(asyncio.Protocol):
    """What the entrance does when the handshake is done."""

    def __init__(self, runtime: Runtime, wheel: IdleWheel[WebSocketTransport], max_outbound_bytes: int) -> None:
        self._runtime = runtime
        self._max_outbound_bytes = max_outbound_bytes
        self._wheel = wheel
        self.websocket: WebSocketTransport
        self.client: Client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by what they do, not by their class.
        stream = cast("asyncio.Transport", transport)
        self.websocket = WebSocketTransport(
            stream, self._runtime.turn, self._wheel, self._runtime.drops, self._max_outbound_bytes
        )
        made = Socket()
        made.number = self._runtime.next_number()
        self.client = Client(self._runtime, made, V2, self.websocket)
        self.websocket.open(self.client)
        stream.set_protocol(self.websocket)


@asynccontextmanager
async def connected(
    runtime: Runtime, wheel: IdleWheel[WebSocketTransport] | None = None, max_outbound_bytes: int = 2**30
) -> AsyncIterator[Connection]:
    """A client that has just been upgraded. No client is too slow unless it is asked for."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    wheel = wheel or IdleWheel(None, 0.0)
    loop = asyncio.get_running_loop()
    transport, first = await loop.connect_accepted_socket(lambda: First(runtime, wheel, max_outbound_bytes), ours)
    connection = Connection(runtime, first.websocket, first.client, Browser(theirs))
    try:
        yield connection
    finally:
        transport.abort()
        theirs.close()
        await connection.gone()


def numbered(number: int, size: int = 0) -> bytes:
    return text_frame(b'{"number":%d,"fill":"%b"}' % (number, b"x" * size))


def scene_with(connections: int) -> Callable[[Callable[..., Awaitable[None]]], Callable[[], Awaitable[None]]]:
    """Plays a scene with so many connected clients of one worker."""

    def decorate(scene: Callable[..., Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def played() -> None:
            with lone_worker() as runtime:
                await enter(runtime, connections, ())

        async def enter(runtime: Runtime, left: int, have: tuple[Connection, ...]) -> None:
            if not left:
                await scene(*have)
                return
            async with connected(runtime) as connection:
                await enter(runtime, left - 1, (*have, connection))

        return played

    return decorate


class TestSending:
    """Every way to send keeps the order of all."""

    def test_what_a_turn_collects_leaves_together_and_in_order(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            for number in range(10):
                one.transport.send(numbered(number))
            assert await one.browser.texts(10) == [
                json.dumps({"number": number, "fill": ""}, separators=(",", ":")) for number in range(10)
            ]

        play(scene)

    @pytest.mark.parametrize("size", [10, 3000, 100_000])
    def test_a_slow_reader_gets_everything_in_order(self, play: Play, size: int) -> None:
        """Sent at the end of turns, written at once, and handed over by a broadcast, while little is read."""

        @scene_with(1)
        async def scene(one: Connection) -> None:
            sent = 0
            got: list[int] = []
            for turn in range(30):
                one.transport.send(numbered(sent, size))
                one.transport.send(numbered(sent + 1, size))
                hand_over([Frames([one.transport], [numbered(sent + 2, size)], "t")], one.runtime.turn)
                one.transport.fall_behind(Frames([], [numbered(sent + 3, size)], "t"), 0)
                sent += 4
                await asyncio.sleep(0)
                if turn % 3 == 0:
                    got += [json.loads(text)["number"] for text in await one.browser.texts(1)]
            got += [json.loads(text)["number"] for text in await one.browser.texts(sent - len(got))]
            assert got == list(range(sent))

        play(scene)

    def test_a_client_that_does_not_read_is_written_to_directly_no_more(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            descriptors = [one.transport.descriptor]
            count = 0
            while one.transport.descriptor != -1:
                assert count < 10_000
                hand_over([Frames([one.transport], [numbered(count, 1000)], "t")], one.runtime.turn)
                count += 1
            await one.browser.texts(count)
            async with asyncio.timeout(LIMIT):
                while one.transport.descriptor == -1:
                    await asyncio.sleep(0)
            descriptors.append(one.transport.descriptor)
            assert descriptors[0] == descriptors[1] != -1

        play(scene)

    def test_a_broadcast_reaches_all_also_those_in_trouble(self, play: Play) -> None:
        @scene_with(4)
        async def scene(slow: Connection, gone: Connection, busy: Connection, usual: Connection) -> None:
            slow_count = 0
            while slow.transport.descriptor != -1:
                hand_over([Frames([slow.transport], [numbered(-1, 1000)], "t")], slow.runtime.turn)
                slow_count += 1
            gone.browser.vanish()
            busy.transport.send(numbered(0))
            outlets = [one.transport for one in (slow, gone, busy, usual)]
            runs: list[Handover] = [Frames(outlets, [numbered(1)], "t"), Frames(outlets, [numbered(2)], "t")]
            handed = hand_over(runs, usual.runtime.turn)
            assert handed == 8
            for one, before in ((slow, [-1] * slow_count), (busy, [0]), (usual, [])):
                texts = await one.browser.texts(len(before) + 2)
                assert [json.loads(text)["number"] for text in texts] == [*before, 1, 2]
            await gone.gone()

        play(scene)


class TestReceiving:
    """Messages go to the client, and what the protocol wants is answered."""

    def test_heartbeats_are_answered_in_order(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            await one.browser.send(*(HEARTBEAT % number for number in range(20)))
            replies = [json.loads(text) for text in await one.browser.texts(20)]
            assert replies == [
                [None, str(number), "phoenix", "phx_reply", {"response": {}, "status": "ok"}] for number in range(20)
            ]

        play(scene)

    def test_a_message_may_come_byte_by_byte(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            text = (HEARTBEAT % 1).encode()
            stream = bytes((0x81, 0x80 | len(text))) + bytes(4) + text
            for at in range(len(stream)):
                await one.browser.send_bytes(stream[at : at + 1])
                await asyncio.sleep(0)
            assert len(await one.browser.texts(1)) == 1

        play(scene)

    def test_pings_are_answered(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            await one.browser.ping(b"are you there")
            pong = await one.browser.frame()
            assert (pong.opcode, bytes(pong.data)) == (Opcode.PONG, b"are you there")

        play(scene)

    def test_what_was_heard_is_noted_by_the_wheels_clock(self, play: Play) -> None:
        async def scene() -> None:
            wheel: IdleWheel[WebSocketTransport] = IdleWheel(8.0, 5.0)
            with lone_worker() as runtime:
                async with connected(runtime, wheel) as one:
                    times = [one.transport.heard]
                    wheel.turn(6.0)
                    await one.browser.ping(b"")
                    await one.browser.frame()
                    times.append(one.transport.heard)
                    assert times == [5.0, 6.0]

        play(scene)


class TestClosing:
    """The close frame is the last, and the connection ends whatever the client does."""

    @pytest.mark.parametrize("message", ["hello", "", "{}", '["1","1","t","e"]', "[" * 5000])
    def test_what_is_no_message_closes_with_1011_and_nothing_follows(self, play: Play, message: str) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            await one.browser.send(HEARTBEAT % 1, message, HEARTBEAT % 2)
            frames = await one.browser.ends()
            assert [frame.opcode for frame in frames] == [Opcode.TEXT, Opcode.CLOSE]
            assert Close.parse(bytes(frames[1].data)) == Close(1011, "")
            await one.gone()

        play(scene)

    def test_what_was_sent_before_a_close_arrives_before_it(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            for number in range(3):
                one.transport.send(numbered(number, 20_000))
            one.transport.close(CloseCode.SERVICE_RESTART)
            one.transport.close(CloseCode.GOING_AWAY)
            one.transport.send(numbered(9))
            hand_over([Frames([one.transport], [numbered(9)], "t")], one.runtime.turn)
            frames = await one.browser.ends()
            assert [frame.opcode for frame in frames] == [Opcode.TEXT] * 3 + [Opcode.CLOSE]
            assert Close.parse(bytes(frames[-1].data)).code == 1012

        play(scene)

    def test_a_client_that_closes_is_answered(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            await one.browser.close(1001)
            (close,) = await one.browser.ends()
            assert Close.parse(bytes(close.data)).code == 1001
            await one.gone()

        play(scene)

    @pytest.mark.parametrize("reset", [False, True])
    def test_a_client_that_vanishes_is_forgotten(self, play: Play, reset: bool) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            if reset:
                one.transport.send(numbered(1))  # unread, so that the kernel says so
            one.browser.vanish()
            await one.gone()
            assert one.client.closed_by == "closed"
            assert one.transport.descriptor == -1
            one.transport.send(numbered(2))
            hand_over([Frames([one.transport], [numbered(3)], "t")], one.runtime.turn)
            one.transport.close(CloseCode.GOING_AWAY)
            await asyncio.sleep(0)

        play(scene)

    def test_who_gets_the_descriptor_of_one_that_is_gone_gets_none_of_its_frames(self, play: Play) -> None:
        async def scene() -> None:
            with lone_worker() as runtime:
                async with connected(runtime) as gone:
                    number = gone.transport.descriptor
                async with AsyncExitStack() as others:
                    async with asyncio.timeout(LIMIT):
                        heir = await others.enter_async_context(connected(runtime))
                        while heir.transport.descriptor != number:
                            await asyncio.sleep(0)
                            heir = await others.enter_async_context(connected(runtime))
                    gone.transport.send(numbered(1))
                    hand_over([Frames([gone.transport], [numbered(2)], "t")], runtime.turn)
                    gone.transport.close(CloseCode.GOING_AWAY)
                    hand_over([Frames([gone.transport, heir.transport], [numbered(3)], "t")], runtime.turn)
                    assert await heir.browser.texts(1) == ['{"number":3,"fill":""}']

        play(scene)

    def test_a_client_that_does_not_answer_a_close_is_cut(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(websocket_module, "CLOSE_LIMIT", 0.05)

        @scene_with(1)
        async def scene(one: Connection) -> None:
            one.transport.close(CloseCode.GOING_AWAY)
            await one.gone()

        play(scene)

    def test_one_that_is_silent_is_closed_with_1002(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            one.transport.silent()
            (close,) = await one.browser.ends()
            assert Close.parse(bytes(close.data)).code == 1002

        play(scene)

    def test_one_that_we_do_not_read_from_is_not_silent(self, play: Play) -> None:
        @scene_with(1)
        async def scene(one: Connection) -> None:
            one.transport.pause_reading()
            await one.browser.send(HEARTBEAT % 1)
            one.transport.silent()
            one.transport.resume_reading()
            assert json.loads((await one.browser.texts(1))[0])[1] == "1"

        play(scene)


class TestDepth:
    """JSON nested as deep as can just be read must not be deeper than what can be answered."""

    def test_every_ref_is_given_back_or_closes_the_connection(self, play: Play) -> None:
        async def scene() -> None:
            with lone_worker() as runtime:
                for depth in range(900, 1000):
                    async with connected(runtime) as one:
                        ref = "[" * depth + "]" * depth
                        await one.browser.send(f'[null,{ref},"phoenix","heartbeat",{{}}]')
                        frame = await one.browser.frame()
                        assert frame.opcode in (Opcode.TEXT, Opcode.CLOSE)

        play(scene)
