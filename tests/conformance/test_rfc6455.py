"""RFC 6455 at the socket. Cases are named by the families of the Autobahn test suite, whose fuzzing client they follow.

Each runs against a raw socket that echoes, and most against a channel socket too. What the server sends is parsed by
the websockets library.
"""

import asyncio
import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from websockets.frames import Opcode

from tests.e2e.node import Node
from tests.e2e.wire_client import WireClient, client_frame

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
VALID_TEXT = "Hello-µ@ßöäüàá-UTF-8!! 🪺".encode()


class Target(NamedTuple):
    """A socket, and a text message that it answers."""

    node: Node
    path: str

    def client(self) -> WireClient:
        return WireClient(self.node.port, self.path)

    @property
    def echoes(self) -> bool:
        return self.path.startswith("/echo")

    def text(self, padding: str = "") -> bytes:
        """A message, about as long as its padding."""
        if self.echoes:
            return padding.encode()
        return json.dumps([None, "1", "phoenix", "heartbeat", {"padding": padding}]).encode()

    async def check_answer(self, client: WireClient, message: bytes) -> None:
        opcode, answer = await client.message()
        assert opcode is Opcode.TEXT
        if self.echoes:
            assert answer == message
        else:
            assert json.loads(answer) == [None, "1", "phoenix", "phx_reply", {"status": "ok", "response": {}}]

    async def check_open(self, client: WireClient) -> None:
        """The connection is as good as before."""
        message = self.text("still here")
        await client.send(client_frame(TEXT, message))
        await self.check_answer(client, message)


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    running = Node(shards=1, workers=1)
    running.environment["ROOST_TEST_EVENT_LOOP"] = request.param
    with running:
        yield running
        assert [line for line in running.logged().splitlines() if "ERROR" in line] == [], "a peer's fault is no error"


@pytest.fixture(params=["/echo/websocket", "/socket/websocket?vsn=2.0.0"])
def target(node: Node, request: pytest.FixtureRequest) -> Target:
    return Target(node, request.param)


@pytest.fixture
def echo(node: Node) -> Target:
    return Target(node, "/echo/websocket")


def code(number: int, reason: bytes = b"") -> bytes:
    """The payload of a close frame."""
    return number.to_bytes(2, "big") + reason


class TestMessages:
    """1.*: messages of all sizes; 9.*: large ones, in small numbers."""

    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 4096, 4097, 65_535, 65_536, 65_537])
    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    async def test_sizes(self, echo: Target, opcode: int, size: int) -> None:
        async with echo.client() as client:
            await client.send(client_frame(opcode, b"*" * size))
            assert await client.message() == (Opcode(opcode), b"*" * size)

    async def test_sizes_at_a_channel_socket(self, target: Target) -> None:
        async with target.client() as client:
            for size in (0, 60, 64, 70, 4096, 65_470, 65_480, 65_490, 70_000):
                message = target.text("x" * size)
                await client.send(client_frame(TEXT, message))
                await target.check_answer(client, message)

    @pytest.mark.parametrize("size", [0, 126, 65_536])
    async def test_lengths_that_are_longer_than_they_need_be(self, echo: Target, size: int) -> None:
        """A sender must use the fewest bytes (section 5.2); a receiver that takes what comes harms nobody."""
        payload = b"x" * size
        head = b"\x81\xff" + size.to_bytes(8, "big") + b"\0\0\0\0"
        async with echo.client() as client:
            await client.send(head, payload)
            frames = [await client.frame()]
            assert (frames[0].opcode, frames[0].data) in ((Opcode.TEXT, payload), (Opcode.CLOSE, code(1002)))

    async def test_every_mask(self, echo: Target) -> None:
        async with echo.client() as client:
            for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"):
                for size in range(9):
                    await client.send(client_frame(BINARY, bytes(range(size)), mask=mask))
                    assert await client.message() == (Opcode.BINARY, bytes(range(size)))

    async def test_one_byte_at_a_time(self, target: Target) -> None:
        message = target.text("é" * 70)
        async with target.client() as client:
            await client.send_one_by_one(client_frame(TEXT, message))
            await target.check_answer(client, message)
            await client.send_one_by_one(client_frame(PING, b"ping") + client_frame(CLOSE, code(1000)))
            assert await client.message() == (Opcode.PONG, b"ping")
            assert await client.closed() == 1000

    async def test_many_in_one_packet(self, target: Target) -> None:
        message = target.text("x")
        async with target.client() as client:
            await client.send(client_frame(TEXT, message) * 500)
            for _ in range(500):
                await target.check_answer(client, message)

    @pytest.mark.parametrize("chunk", [64, 4096, 65_536])
    async def test_9_large_messages_in_chunks(self, echo: Target, chunk: int) -> None:
        message = bytes(range(256)) * 1024
        frame = client_frame(BINARY, message)
        async with echo.client() as client:
            for at in range(0, len(frame), chunk):
                await client.send(frame[at : at + chunk])
            assert await client.message() == (Opcode.BINARY, message)

    async def test_9_large_messages_in_fragments(self, echo: Target) -> None:
        pieces = [b"x" * 1300] * 200
        async with echo.client() as client:
            await client.send(
                client_frame(TEXT, fin=False), *[client_frame(CONT, piece, fin=False) for piece in pieces]
            )
            await client.send(client_frame(CONT))
            assert await client.message() == (Opcode.TEXT, b"".join(pieces))

    async def test_too_large_a_message(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(client_frame(TEXT, b"x" * 100, declared=10_000_001))
            assert await client.closed() == 1009
        async with target.client() as client:
            await client.send(client_frame(TEXT, b"x", declared=2**63))
            assert await client.closed() in (1002, 1009)


class TestPings:
    """2.*"""

    @pytest.mark.parametrize("payload", [b"", b"Hello", b"\0\xff\xfe\xfd", b"x" * 125])
    async def test_2_1_to_2_4_answered_with_their_payload(self, target: Target, payload: bytes) -> None:
        async with target.client() as client:
            await client.send(client_frame(PING, payload))
            assert await client.message() == (Opcode.PONG, payload)
            await target.check_open(client)

    @pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
    async def test_2_5_too_long(self, target: Target, opcode: int) -> None:
        async with target.client() as client:
            await client.send(client_frame(opcode, b"x" * 126))
            assert await client.closed() == 1002

    @pytest.mark.parametrize("payload", [b"", b"unasked"])
    async def test_2_7_to_2_9_unasked_pongs(self, target: Target, payload: bytes) -> None:
        async with target.client() as client:
            await client.send(client_frame(PONG, payload), client_frame(PING, b"p"))
            assert await client.message() == (Opcode.PONG, b"p")
            await target.check_open(client)

    async def test_2_10_and_2_11_many(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(*[client_frame(PING, b"%d" % number) for number in range(10)])
            assert [await client.message() for _ in range(10)] == [(Opcode.PONG, b"%d" % n) for n in range(10)]

    async def test_a_flood_of_pings_is_answered_in_order(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(*[client_frame(PING, b"%d" % number) for number in range(5000)])
            for number in range(5000):
                assert await client.message() == (Opcode.PONG, b"%d" % number)
            await target.check_open(client)


class TestReserved:
    """3.* and 4.*"""

    @pytest.mark.parametrize("rsv", range(1, 8))
    @pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
    async def test_3_bits(self, target: Target, rsv: int, opcode: int) -> None:
        message = target.text("before")
        async with target.client() as client:
            await client.send(client_frame(TEXT, message), client_frame(opcode, b"", rsv=rsv))
            await target.check_answer(client, message)
            assert await client.closed() == 1002

    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    @pytest.mark.parametrize("payload", [b"", b"payload"])
    async def test_4_opcodes(self, target: Target, opcode: int, payload: bytes) -> None:
        message = target.text("before")
        async with target.client() as client:
            await client.send(client_frame(TEXT, message), client_frame(opcode, payload))
            await target.check_answer(client, message)
            assert await client.closed() == 1002

    @pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
    async def test_frames_without_a_mask(self, target: Target, opcode: int) -> None:
        """Section 5.1."""
        async with target.client() as client:
            await client.send(client_frame(opcode, b"", mask=None))
            assert await client.closed() == 1002


class TestFragments:
    """5.*"""

    @pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
    async def test_5_1_and_5_2_control_frames_are_whole(self, target: Target, opcode: int) -> None:
        async with target.client() as client:
            await client.send(client_frame(opcode, b"", fin=False), client_frame(CONT))
            assert await client.closed() == 1002

    @pytest.mark.parametrize("one_by_one", [False, True])
    async def test_5_3_to_5_8_text_with_control_frames_between(self, target: Target, one_by_one: bool) -> None:
        message = target.text("in pieces é🪺")
        pings = [client_frame(PING, b"%d" % number) for number in range(len(message))]
        pieces = [client_frame(CONT, message[at : at + 1], fin=False) for at in range(1, len(message))]
        data = client_frame(TEXT, message[:1], fin=False)
        data += b"".join(ping + piece for ping, piece in zip(pings, pieces, strict=False)) + client_frame(CONT)
        async with target.client() as client:
            await (client.send_one_by_one(data) if one_by_one else client.send(data))
            for number in range(len(pieces)):
                assert await client.message() == (Opcode.PONG, b"%d" % number)
            await target.check_answer(client, message)

    @pytest.mark.parametrize("fin", [True, False])
    async def test_5_9_to_5_14_nothing_to_continue(self, target: Target, fin: bool) -> None:
        message = target.text("before")
        async with target.client() as client:
            await client.send(client_frame(TEXT, message), client_frame(CONT, b"non-continuation", fin=fin))
            await target.check_answer(client, message)
            assert await client.closed() == 1002

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    async def test_5_15_to_5_18_a_message_within_a_message(self, target: Target, opcode: int) -> None:
        async with target.client() as client:
            await client.send(client_frame(TEXT, b"begun", fin=False), client_frame(opcode, b"another"))
            assert await client.closed() == 1002

    async def test_5_19_and_5_20_pauses_between(self, target: Target) -> None:
        message = target.text("x" * 20)
        async with target.client() as client:
            await client.send(client_frame(TEXT, message[:5], fin=False), client_frame(PING, b"1"))
            assert await client.message() == (Opcode.PONG, b"1")
            await client.send(client_frame(CONT, message[5:9], fin=False), client_frame(PING, b"2"))
            assert await client.message() == (Opcode.PONG, b"2")
            await client.send(client_frame(CONT, message[9:]))
            await target.check_answer(client, message)


class TestText:
    """6.*"""

    async def test_6_1_empty_fragments(self, echo: Target) -> None:
        empty = client_frame(CONT, fin=False)
        async with echo.client() as client:
            await client.send(client_frame(TEXT, fin=False), empty, client_frame(CONT))
            assert await client.message() == (Opcode.TEXT, b"")
            await client.send(client_frame(TEXT, fin=False), empty, client_frame(CONT, b"middle", fin=False))
            await client.send(empty, client_frame(CONT))
            assert await client.message() == (Opcode.TEXT, b"middle")

    async def test_6_2_characters_in_pieces(self, echo: Target) -> None:
        async with echo.client() as client:
            await client.send(client_frame(TEXT, VALID_TEXT))
            assert await client.message() == (Opcode.TEXT, VALID_TEXT)
            for at in range(len(VALID_TEXT)):
                await client.send(client_frame(TEXT, VALID_TEXT[:at], fin=False), client_frame(CONT, VALID_TEXT[at:]))
                assert await client.message() == (Opcode.TEXT, VALID_TEXT)

    @pytest.mark.parametrize(
        "payload",
        [
            *(
                b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
                b"\xf4\x90\x80\x80",
                b"\xf8\x88\x80\x80\x80",
            ),
            *(b"\x80", b"\xbf", b"\xc0\xaf", b"\xc0\x80", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xed\xbf\xbf"),
            *(b"\xfe", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\xaa", b"valid \xff", b"\xc3valid"),
        ],
    )
    async def test_6_3_and_6_6_to_6_21_what_is_no_utf8(self, target: Target, payload: bytes) -> None:
        async with target.client() as client:
            await client.send(client_frame(TEXT, payload))
            assert await client.closed() == 1007
        async with target.client() as client:
            await client.send(client_frame(TEXT, payload[:1], fin=False), client_frame(CONT, payload[1:]))
            assert await client.closed() == 1007

    @pytest.mark.parametrize("text", ["\u0000", "\ufffe", "\uffff", "\U0010ffff", "\ufdd0", "\ud7ff", "\ue000"])
    async def test_6_5_and_6_22_odd_characters_are_text(self, echo: Target, text: str) -> None:
        async with echo.client() as client:
            await client.send(client_frame(TEXT, text.encode()))
            assert await client.message() == (Opcode.TEXT, text.encode())

    @pytest.mark.parametrize("bad", [b"\xf4\x90", b"\xed\xa0\x80", b"\xff"])
    async def test_6_4_the_connection_fails_before_the_message_ends(self, target: Target, bad: bytes) -> None:
        async with target.client() as client:
            await client.send(client_frame(TEXT, VALID_TEXT, fin=False), client_frame(CONT, bad, fin=False))
            assert await client.closed() == 1007

    async def test_binary_messages_are_anything(self, echo: Target) -> None:
        async with echo.client() as client:
            await client.send(client_frame(BINARY, b"\xff", fin=False), client_frame(CONT, b"\xc3\x28"))
            assert await client.message() == (Opcode.BINARY, b"\xff\xc3\x28")


class TestClosing:
    """7.*"""

    async def test_7_1_1_after_a_message(self, target: Target) -> None:
        message = target.text("before")
        async with target.client() as client:
            await client.send(client_frame(TEXT, message), client_frame(CLOSE, code(1000)))
            await target.check_answer(client, message)
            assert await client.closed() == 1000

    @pytest.mark.parametrize("after", [CLOSE, PING, TEXT, BINARY])
    async def test_7_1_2_to_7_1_4_nothing_counts_after_it(self, target: Target, after: int) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE, code(1000)), client_frame(after, b""))
            assert await client.closed() == 1000

    async def test_7_1_5_within_a_message(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(client_frame(TEXT, b"begun", fin=False), client_frame(CLOSE, code(1000)))
            # The websockets library takes the unfinished message for an error; the client has closed in any case.
            assert await client.closed() in (1000, 1002)

    async def test_7_1_6_behind_a_large_message(self, echo: Target) -> None:
        async with echo.client() as client:
            await client.send(client_frame(TEXT, b"x" * 256 * 1024), client_frame(CLOSE, code(1000)))
            opcodes = [frame.opcode for frame in await client.ends()]
            assert opcodes in ([Opcode.TEXT, Opcode.CLOSE], [Opcode.CLOSE])

    async def test_7_3_1_without_a_code(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE))
            assert await client.closed() in (None, 1000)

    async def test_7_3_2_half_a_code(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE, b"\x03"))
            assert await client.closed() == 1002

    @pytest.mark.parametrize("reason", [b"", b"Hello World!", b"x" * 123])
    async def test_7_3_3_to_7_3_5_with_a_reason(self, target: Target, reason: bytes) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE, code(1000, reason)))
            assert await client.closed() == 1000

    async def test_7_3_6_too_long_a_reason(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE, code(1000, b"x" * 124)))
            assert await client.closed() == 1002

    async def test_7_5_1_a_reason_that_is_no_utf8(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE, code(1000, b"\xce\xba\xed\xa0\x80")))
            assert await client.closed() in (1002, 1007)

    @pytest.mark.parametrize(
        "number", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    )
    async def test_7_7_valid_codes(self, target: Target, number: int) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE, code(number)))
            assert await client.closed() in (number, 1000)

    @pytest.mark.parametrize("number", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535])
    async def test_7_9_and_7_13_invalid_codes(self, target: Target, number: int) -> None:
        async with target.client() as client:
            await client.send(client_frame(CLOSE, code(number)))
            assert await client.closed() == 1002

    async def test_the_server_begins(self, node: Node) -> None:
        """What the client still sends is read and dropped; its close frame ends the connection."""
        async with WireClient(node.port, "/socket/websocket?vsn=2.0.0") as client:
            await client.send(client_frame(TEXT, b"no message"))
            assert await client.message() == (Opcode.CLOSE, code(1011))
            await client.send(
                client_frame(TEXT, b"whatever"), client_frame(PING, b"p"), client_frame(CLOSE, code(1011))
            )
            assert await client.ends() == []


class TestEnds:
    """Peers that are gone, or half gone."""

    async def test_half_closed_after_a_message(self, target: Target) -> None:
        """The answer may be lost: the client has said that it is gone. The server ends the connection."""
        async with target.client() as client:
            await client.send(client_frame(TEXT, target.text("last words")))
            client.end_sending()
            opcodes = [frame.opcode for frame in await client.ends()]
            assert opcodes in ([], [Opcode.TEXT])

    async def test_half_closed_within_a_frame(self, target: Target) -> None:
        async with target.client() as client:
            await client.send(client_frame(TEXT, target.text("unfinished"))[:-3])
            client.end_sending()
            assert await client.ends() == []

    async def test_others_go_on(self, target: Target) -> None:
        async with target.client() as steady:
            for _ in range(20):
                async with target.client() as client:
                    await client.send(client_frame(TEXT, target.text("x" * 5000))[:4000])
                await target.check_open(steady)


async def test_floods_from_many_do_not_hold_up_one(node: Node) -> None:
    target = Target(node, "/socket/websocket?vsn=2.0.0")

    async def flood() -> None:
        async with target.client() as client:
            for _ in range(20):
                await client.send(client_frame(PING, b"flood") * 200)
                for _ in range(200):
                    assert await client.message() == (Opcode.PONG, b"flood")

    async with target.client() as steady, asyncio.TaskGroup() as group:
        tasks = [group.create_task(flood()) for _ in range(4)]
        while not all(task.done() for task in tasks):
            await target.check_open(steady)
