"""permessage-deflate against independent clients: the websockets library, and phoenix.js on `ws`."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import DATA_OPCODES, Frame
from websockets.typing import ExtensionName

from roost.shared.bus import Lane
from tests.applications.compressed import SMALL_LIMIT
from tests.e2e.node import Node
from tests.e2e.phoenix_js import PhoenixJs
from tests.e2e.raw import RawClient
from tests.e2e.wire_client import WireClient, client_frame
from tests.limits import LIMIT
from tests.shared.compressed import compress

LARGE = {"text": "all work and no play makes jack a dull boy " * 50}
SMALL = {"text": "hello"}
OFFER = "permessage-deflate; client_max_window_bits"
TEXT, BINARY, CONT, PING = 0x1, 0x2, 0x0, 0x9


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.compressed:endpoint") as running:
        yield running
        assert [line for line in running.logged().splitlines() if "ERROR" in line] == [], "a peer's fault is no error"


class Watched(Extension):
    """The library's permessage-deflate, with a note of which messages came compressed."""

    name = ExtensionName("permessage-deflate")

    def __init__(self, inner: Extension) -> None:
        self._inner = inner
        self.compressed: list[bool] = []

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        if frame.opcode in DATA_OPCODES:
            self.compressed.append(frame.rsv1)
        return self._inner.decode(frame, max_size=max_size)

    def encode(self, frame: Frame) -> Frame:
        return self._inner.encode(frame)


@asynccontextmanager
async def connected(
    node: Node, path: str, offer: ClientPerMessageDeflateFactory | None = None, vsn: str = "2.0.0"
) -> AsyncIterator[tuple[ClientConnection, list[bool]]]:
    """A connection by the library, and the list of which messages came compressed so far."""
    factory = offer or ClientPerMessageDeflateFactory()
    url = f"ws://127.0.0.1:{node.port}{path}/websocket?vsn={vsn}"
    async with connect(url, extensions=[factory], compression=None, ping_interval=None, max_size=None) as connection:
        (agreed,) = connection.protocol.extensions
        watched = Watched(agreed)
        connection.protocol.extensions = [watched]
        yield connection, watched.compressed


async def receive(connection: ClientConnection) -> Any:
    async with asyncio.timeout(LIMIT):
        return await connection.recv()


async def join(connection: ClientConnection, topic: str, vsn: str) -> None:
    new = vsn == "2.0.0"
    message: Any = ["1", "1", topic, "phx_join", {}]
    if not new:
        message = {"topic": topic, "event": "phx_join", "payload": {}, "ref": "1"}
    await connection.send(json.dumps(message))
    answer = json.loads(await receive(connection))
    assert (answer[4] if new else answer["payload"])["status"] == "ok"


OFFERS = [
    ClientPerMessageDeflateFactory(),
    ClientPerMessageDeflateFactory(True, True),  # noqa: FBT003
    ClientPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=9),
    ClientPerMessageDeflateFactory(client_max_window_bits=None),
]


class TestMessages:
    @pytest.mark.parametrize("offer", OFFERS)
    async def test_both_ways_in_all_sizes(self, node: Node, offer: ClientPerMessageDeflateFactory) -> None:
        async with connected(node, "/echo", offer) as (connection, compressed):
            for size in (0, 1, 125, 126, 200, 300, 1000, 4097, 65_536, 900_000):
                text = ("roost ä " * size)[:size]
                for message in (text, text.encode()):
                    await connection.send(message)
                    assert await receive(connection) == message
                    assert compressed[-1] is (size >= 300)

    async def test_fragments_with_pings_between(self, node: Node) -> None:
        async with connected(node, "/echo") as (connection, _):
            parts = ["phoenix " * 100, "", "ü" * 3000, "x"]

            async def with_pings() -> AsyncIterator[str]:
                for part in parts:
                    await connection.ping()
                    yield part

            await connection.send(with_pings())
            assert await receive(connection) == "".join(parts)

    async def test_what_cannot_be_compressed_comes_as_it_is(self, node: Node) -> None:
        async with connected(node, "/echo") as (connection, compressed):
            noise = compress(bytes(range(256)) * 20, level=9) + bytes(range(256))
            await connection.send(noise)
            assert await receive(connection) == noise
            assert compressed == [False]

    async def test_replies_and_pushes(self, node: Node) -> None:
        async with connected(node, "/socket") as (connection, compressed):
            await join(connection, "room:replies", "2.0.0")
            await connection.send(json.dumps(["1", "2", "room:replies", "ping", LARGE]))
            assert json.loads(await receive(connection))[4] == {"status": "ok", "response": LARGE}
            await connection.send(json.dumps(["1", "3", "room:replies", "push_me", LARGE]))
            assert json.loads(await receive(connection))[3:] == ["pushed", LARGE]
            await connection.send(json.dumps(["1", "4", "room:replies", "ping", SMALL]))
            assert json.loads(await receive(connection))[4] == {"status": "ok", "response": SMALL}
            assert compressed == [False, True, True, False]


class TestRooms:
    async def test_everybody_in_a_mixed_room_hears_the_same(self, node: Node) -> None:
        """V1 and V2, compressed and not, on whichever workers they land."""
        async with (
            connected(node, "/socket", vsn="1.0.0") as (old, old_compressed),
            connected(node, "/socket") as (new, new_compressed),
            connected(node, "/socket") as (other, other_compressed),
            RawClient(f"ws://127.0.0.1:{node.port}/plain", vsn="1.0.0") as old_plain,
            RawClient(f"ws://127.0.0.1:{node.port}/plain") as new_plain,
        ):
            await join(old, "room:mixed", "1.0.0")
            for connection in (new, other, new_plain.connection):
                await join(connection, "room:mixed", "2.0.0")
            await join(old_plain.connection, "room:mixed", "1.0.0")
            rows = (await asyncio.to_thread(node.ask, "subscribers", "room:mixed"))["subscribers"]
            assert Counter(Lane(row["lane"]) for row in rows) == {
                Lane.V1: 1,
                Lane.V1_DEFLATE: 1,
                Lane.V2: 1,
                Lane.V2_DEFLATE: 2,
            }
            for number, payload in enumerate((LARGE, SMALL, LARGE)):
                await new.send(json.dumps([None, None, "room:mixed", "new_msg", payload | {"n": number}]))
                for client in (new, other, new_plain.connection):
                    assert json.loads(await receive(client))[2:] == ["room:mixed", "new_msg", payload | {"n": number}]
                for client in (old, old_plain.connection):
                    assert json.loads(await receive(client))["payload"] == payload | {"n": number}
            for compressed in (old_compressed, new_compressed, other_compressed):
                assert compressed == [False, True, False, True]

    async def test_binary_broadcasts(self, node: Node) -> None:
        async with connected(node, "/socket") as (connection, compressed):
            await join(connection, "room:binary", "2.0.0")
            data = b"\0\1\2\3" * 500
            await connection.send(b"\0\1\1\x0b\7" + b"11room:binarynew_msg" + data)
            assert await receive(connection) == b"\2\x0b\7room:binarynew_msg" + data
            assert compressed[-1]


class TestOff:
    async def test_a_mount_without_it_agrees_to_nothing(self, node: Node) -> None:
        async with connect(f"ws://127.0.0.1:{node.port}/plain/websocket?vsn=2.0.0") as connection:
            assert connection.protocol.extensions == []
            await join(connection, "room:plain", "2.0.0")

    @pytest.mark.parametrize("offer", [None, "permessage-deflate; server_max_window_bits=9", "permessage-deflate; x"])
    async def test_a_client_whose_offers_cannot_be_taken_is_served_without(self, node: Node, offer: str | None) -> None:
        async with WireClient(node.port, "/echo/websocket", offer=offer) as client:
            assert client.agreed is None
            await client.send(client_frame(TEXT, b"x" * 1000))
            assert await client.message() == (TEXT, b"x" * 1000)
            await client.send(client_frame(TEXT, compress(b"x"), rsv=4))
            assert await client.closed() == 1002


class TestBadClients:
    """What a client must not do with a compressed message ends its own connection."""

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    async def test_a_bomb(self, node: Node, opcode: int) -> None:
        async with WireClient(node.port, "/small/websocket", offer=OFFER) as client:
            await client.send(client_frame(opcode, compress(b"\0" * SMALL_LIMIT), rsv=4))
            assert len((await client.message())[1]) < SMALL_LIMIT, "the answer is compressed too"
            await client.send(client_frame(opcode, compress(b"\0" * (SMALL_LIMIT + 1)), rsv=4))
            assert await client.closed() == 1009

    async def test_a_bomb_in_fragments(self, node: Node) -> None:
        async with WireClient(node.port, "/small/websocket", offer=OFFER) as client:
            bomb = compress(b"\0" * 5_000_000)
            await client.send(client_frame(BINARY, bomb[:1000], fin=False, rsv=4), client_frame(CONT, bomb[1000:]))
            assert await client.closed() == 1009

    async def test_what_is_no_deflate(self, node: Node) -> None:
        async with WireClient(node.port, "/socket/websocket?vsn=2.0.0", offer=OFFER) as client:
            await client.send(client_frame(TEXT, b"\xff\xff\xff", rsv=4))
            assert await client.closed() == 1007

    async def test_text_that_is_no_utf8(self, node: Node) -> None:
        async with WireClient(node.port, "/echo/websocket", offer=OFFER) as client:
            await client.send(client_frame(TEXT, compress(b"\xff" * 100), rsv=4))
            assert await client.closed() == 1007

    @pytest.mark.parametrize(
        "frames",
        [
            client_frame(PING, b"", rsv=4),
            client_frame(TEXT, b"a", fin=False) + client_frame(CONT, b"b", rsv=4),
            client_frame(TEXT, compress(b"a"), rsv=6),
        ],
    )
    async def test_the_mark_in_the_wrong_place(self, node: Node, frames: bytes) -> None:
        async with WireClient(node.port, "/echo/websocket", offer=OFFER) as client:
            await client.send(frames)
            assert await client.closed() == 1002

    async def test_many_large_messages_in_one_packet_are_all_answered(self, node: Node) -> None:
        async with connected(node, "/echo") as (connection, _):
            message = "x" * 500_000
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(connection.send(message))
                for _ in range(20):
                    assert await receive(connection) == message

    async def test_a_client_may_close_as_ever(self, node: Node) -> None:
        async with connected(node, "/echo") as (connection, _):
            await connection.close(1000)
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert connection.close_code == 1000


class TestPhoenixJs:
    async def test_the_official_client(self, phoenix: PhoenixJs, node: Node) -> None:
        here = await phoenix.connect(node.url)
        there = await phoenix.connect(f"ws://127.0.0.1:{node.port}/plain")
        assert (await here.extensions(), await there.extensions()) == ("permessage-deflate", "")
        speaker = await here.join("room:official")
        listener = await there.join("room:official")
        for payload in (LARGE, SMALL, {"binary": "00ff" * 1000}):
            assert await speaker.push("ping", payload) == ("ok", payload)
            speaker.send("new_msg", payload)
            await speaker.hears("new_msg", payload)
            await listener.hears("new_msg", payload)
        listener.send("new_msg", {**LARGE, "from": "there"})
        await speaker.hears("new_msg", {**LARGE, "from": "there"})
