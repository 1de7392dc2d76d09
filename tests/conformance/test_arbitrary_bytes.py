"""Whatever a peer sends: the worker lives, answers nobody else, logs no error; other clients' heartbeats go on."""

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.node import Node
from tests.e2e.wire_client import WireClient, client_frame
from tests.limits import LIMIT

HEARTBEAT = json.dumps([None, "7", "phoenix", "heartbeat", {}]).encode()
ANSWER = [None, "7", "phoenix", "phx_reply", {"status": "ok", "response": {}}]
TARGETS = ("/echo/websocket", "/socket/websocket?vsn=2.0.0", "/socket/websocket", "/socket/websocket?vsn=3.0.0")

thorough = settings(
    max_examples=int(os.environ.get("ROOST_TEST_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Node("tests.applications.transports:endpoint", shards=1, workers=1) as running:
        pids = running.pids()
        yield running
        assert running.pids() == pids, "every process lives, and none was started again"
        log = running.logged()
        assert "ERROR" not in log, log
        assert "CRITICAL" not in log, log
        assert "Traceback" not in log, log


class Scene:
    """A node, a client of it that minds its own business, and a loop for both."""

    def __init__(self, node: Node, runner: asyncio.Runner) -> None:
        self.node = node
        self._runner = runner
        self._steady = WireClient(node.port, TARGETS[1])
        runner.run(self._steady.__aenter__())

    def close(self) -> None:
        self._runner.run(self._steady.__aexit__())

    def after(self, target: str, *pieces: bytes) -> None:
        """One client sends this and goes; the other one is as well as before, and hears nothing of it."""

        async def play() -> None:
            async with WireClient(self.node.port, target) as client:
                for piece in pieces:
                    await client.send(piece)
                client.end_sending()
                await client.ends()
            await self._check_steady()

        self._runner.run(play())

    def answers(self, data: bytes) -> bytes:
        """What comes back for these bytes of a connection, up to its end."""

        async def play() -> bytes:
            answer = b""
            reader, writer = await asyncio.open_connection("127.0.0.1", self.node.port)
            with contextlib.suppress(OSError):
                async with asyncio.timeout(LIMIT):
                    writer.write(data)
                    writer.write_eof()
                    answer = await reader.read()
            writer.close()
            await self._check_steady()
            return answer

        return self._runner.run(play())

    async def _check_steady(self) -> None:
        await self._steady.send(client_frame(1, HEARTBEAT))
        _, answer = await self._steady.message()
        assert json.loads(answer) == ANSWER


@pytest.fixture(scope="module")
def scene(node: Node) -> Iterator[Scene]:
    with asyncio.Runner() as runner:
        made = Scene(node, runner)
        yield made
        made.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
topics = st.sampled_from(["phoenix", "room:a", "numbers:1", "nowhere", ""]) | json_values
events = st.sampled_from(["phx_join", "phx_leave", "heartbeat", "ping", "new_msg", "where", "phx_close"]) | json_values
messages = st.tuples(json_values, json_values, topics, events, json_values).map(json.dumps).map(str.encode)
payloads = st.one_of(
    messages,
    json_values.map(json.dumps).map(str.encode),
    st.binary(max_size=200),
    st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")),
    st.builds(lambda head, rest: bytes(head) + rest, st.lists(st.integers(0, 12), max_size=5), st.binary(max_size=60)),
    st.integers(0, 600).map(lambda deep: b"[" * deep),
)
frames = st.builds(
    client_frame,
    st.sampled_from([1, 1, 1, 2, 2, 0, 8, 9, 10]) | st.integers(0, 15),
    payloads,
    fin=st.sampled_from([True, True, True, False]),
    rsv=st.sampled_from([0, 0, 0, 0, 0, 0, 1, 4]),
    mask=st.sampled_from([b"\0\0\0\0", b"\x99\x11\x02\xff", b"\0\0\0\0", None]),
    declared=st.sampled_from([None] * 12 + [0, 3, 125, 126, 65_536, 2_000_001, 2**40, 2**63 + 1]),
)
streams = st.lists(frames | st.binary(max_size=80), max_size=8)

methods = st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "PRI", "get", ""]) | st.text(max_size=5)
paths = st.sampled_from([*TARGETS, "/", "*", "/raw/websocket", "/nested/%ff/deep/x/ws", "/asgi/raw", "//", "/%00"])
queries = st.sampled_from(["", "?vsn=2.0.0", "?vsn[]=1", "?a[b][c]=d&a[]=1", "?%zz=%ff", "?vsn=" + "9" * 5000, "?&&=="])
targets = st.builds(str.__add__, paths, queries) | st.text(max_size=30)
headers = st.tuples(
    st.sampled_from(
        [
            *("Host", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"),
            *("Sec-WebSocket-Extensions", "Origin", "Cookie", "Content-Length", "Transfer-Encoding", "Expect", "X-Any"),
        ]
    )
    | st.text(max_size=10),
    st.sampled_from(
        [
            *("Upgrade", "websocket", "dGhlIHNhbXBsZSBub25jZQ==", "13", "8", "chunked", "5", "-1", "100-continue"),
            *(
                "null",
                "http://[::1",
                "http://a:99999999",
                "phoenix, base64url.bearer.phx.%%",
                "permessage-deflate",
                "a=b;",
            ),
            "x" * 20_000,
        ]
    )
    | st.text(max_size=20),
)
USUAL = (
    ("Host", "localhost"),
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A head that is nearly one of an upgrade, or anything, and what may come behind it."""
    usual = draw(st.lists(st.sampled_from(USUAL), unique=True)) if draw(st.booleans()) else list(USUAL)
    lines = [*usual, *draw(st.lists(headers, max_size=4))]
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]))
    end = draw(st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]))
    start = f"{draw(methods)} {draw(targets)} {version}"
    head = end.join([start, *(f"{name}: {value}" for name, value in lines), "", ""])
    body = draw(st.binary(max_size=300) | streams.map(b"".join))
    return head.encode(errors="surrogatepass") + body


@pytest.mark.parametrize("target", TARGETS)
def test_frames(scene: Scene, target: str) -> None:
    @thorough
    @given(streams)
    def play(stream: list[bytes]) -> None:
        scene.after(target, *stream)

    play()


def test_messages_of_the_protocol(scene: Scene) -> None:
    """Frames that are right, so that nearly all of it reaches the channels."""

    @thorough
    @given(st.lists(messages, min_size=1, max_size=10))
    def play(texts: list[bytes]) -> None:
        scene.after(TARGETS[1], *[client_frame(1, text) for text in texts])

    play()


def test_requests(scene: Scene) -> None:
    @thorough
    @given(requests() | st.binary(max_size=400))
    def play(data: bytes) -> None:
        answer = scene.answers(data)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer

    play()


def test_two_requests_on_one_connection(scene: Scene) -> None:
    """The second one is asked of a connection that was uvicorn's before."""

    @thorough
    @given(requests())
    def play(data: bytes) -> None:
        answer = scene.answers(b"GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n" + data)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 "), answer

    play()
