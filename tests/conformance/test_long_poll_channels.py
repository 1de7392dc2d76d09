"""Channels over long-poll: upstream's cases of section 10.3, against two workers of which each request reaches any."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.applications.polled import WINDOW
from tests.conformance.test_connecting import SECRET, Log
from tests.e2e.http import request, upgrade
from tests.e2e.long_poll import NDJSON, LongPollClient, Message, body_of
from tests.e2e.node import Node
from tests.limits import LIMIT

VERSIONS = ("1.0.0", "2.0.0")
each_version = pytest.mark.parametrize("vsn", VERSIONS)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    running = Node("tests.applications.polled:endpoint", shards=2, workers=2)
    running.environment["ROOST_SECRET_KEY_BASE"] = SECRET
    with running:
        yield running


async def client(node: Node, path: str = "/socket/longpoll", vsn: str = "2.0.0", **params: str) -> LongPollClient:
    return await LongPollClient(node.port, path, vsn, **params).open()


async def gone(client: LongPollClient) -> None:
    """The session is over: posts and polls find nothing, and the poll begins another."""
    async with asyncio.timeout(LIMIT):
        while (body := await client.get())["status"] != 410:
            assert body["status"] == 204, body
    assert body["token"] != client.token
    assert await client.post(["1", "9", "phoenix", "heartbeat", {}]) == 410


def ref(vsn: str, join_ref: str) -> str | None:
    """V1 has no join_ref."""
    return join_ref if vsn.startswith("2") else None


def reply(join_ref: Any, ref: Any, topic: str, response: Any, status: str = "ok") -> Message:
    return [join_ref, ref, topic, "phx_reply", {"response": response, "status": status}]


async def told(node: Node, headers: dict[str, str] | None = None, **params: str) -> dict[str, Any]:
    """What `connect` was told, as a channel repeats it."""
    polled = await LongPollClient(node.port, **params).open(headers)
    answer = await polled.join("room:told")
    told: dict[str, Any] = answer[4]["response"]
    return told


@each_version
async def test_lp_01_join_and_poll(node: Node, vsn: str) -> None:
    polled = await client(node, vsn=vsn)
    topic = f"room:lobby:{vsn}"
    assert await polled.join(topic) == reply(ref(vsn, "1"), "1", topic, {})
    entered, joined = await polled.hears(2)
    assert entered[:4] == [None, None, topic, "user_entered"]
    assert joined == [ref(vsn, "1"), None, topic, "joined", {"status": "connected"}]
    began = asyncio.get_running_loop().time()
    assert await polled.poll() == []
    assert asyncio.get_running_loop().time() - began >= WINDOW * 0.9


@each_version
async def test_lp_02_too_many_channels(node: Node, vsn: str) -> None:
    polled = await client(node, "/patient/longpoll", vsn)
    joins = [[str(n), str(n), f"room:quiet:{n}", "phx_join", {}] for n in range(101)]
    assert await polled.post(*joins[:100]) == 200
    assert await polled.post(joins[100]) == 200
    answers = await polled.hears(101)
    assert [answer[4]["status"] for answer in answers].count("ok") == 100
    refused = next(answer for answer in answers if answer[4]["status"] == "error")
    assert refused == reply(ref(vsn, "100"), "100", "room:quiet:100", {"reason": "too many channels joined"}, "error")


async def test_lp_03_x_headers(node: Node) -> None:
    found = await told(node, {"X-Application": "Phoenix"})
    assert found["x_headers"] == [["x-application", "Phoenix"]]
    assert found["transport"] == "longpoll"


async def test_lp_04_trace_context_headers(node: Node) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "congo=t61rc"}
    assert dict((await told(node, trace))["trace_context_headers"]) == trace


async def test_lp_05_peer_data(node: Node) -> None:
    address, port, certificate = (await told(node))["peer_data"]
    assert (address, certificate) == ("127.0.0.1", None)
    assert 0 < port < 65536


async def test_lp_06_uri(node: Node) -> None:
    uri = (await told(node))["uri"]
    assert uri == {"scheme": "http", "host": "127.0.0.1", "path": "/socket/longpoll", "query": "vsn=2.0.0"}


@each_version
async def test_lp_07_publishing(node: Node, vsn: str) -> None:
    polled = await client(node, "/patient/longpoll", vsn)
    other = await client(node, "/patient/longpoll", vsn)
    topic = f"room:quiet:publishing{vsn}"
    await polled.join(topic)
    await other.join(topic)
    assert await polled.post(["1", "2", topic, "new_msg", {"body": "hi!"}]) == 200
    pushed = [ref(vsn, "1"), None, topic, "new_msg", {"body": "hi!", "rewritten": True}]
    assert await polled.hears(1) == [pushed]
    assert await other.hears(1) == [pushed]
    assert await polled.post(["1", "3", "room:other", "new_msg", {"body": "this will not be sent"}]) == 200
    assert await polled.hears(1) == [reply(None, "3", "room:other", {"reason": "unmatched topic"}, "error")]


async def test_lp_08_a_message_without_join_ref(node: Node) -> None:
    polled = await client(node)
    await polled.join("room:quiet:8")
    assert await polled.post([None, "2", "room:quiet:8", "echo", {"n": 1}]) == 200
    assert await polled.hears(1) == [reply("1", "2", "room:quiet:8", {"n": 1})]


async def test_lp_09_batches(node: Node) -> None:
    polled = await client(node, "/patient/longpoll")
    topic = "room:quiet:9"
    await polled.join(topic)
    batch: list[Message] = [
        ["1", "2", topic, "echo", 2],
        ["0", "3", topic, "echo", "stale"],
        ["1", "4", topic, "echo", 4],
    ]
    assert await polled.post(*batch) == 200
    assert await polled.poll() == [reply("1", "2", topic, 2), reply("1", "4", topic, 4)]
    assert await polled.post(["1", "5", topic, "echo", 5], _binary("1", "6", topic, "echo", b"\xff\x00")) == 200
    assert await polled.poll() == [reply("1", "5", topic, 5), reply("1", "6", topic, {"binary": "ff00"})]


async def test_lp_09_lines_may_end_as_on_windows(node: Node) -> None:
    polled = await client(node)
    await polled.join("room:quiet:crlf")
    lines = [json.dumps(["1", str(n), "room:quiet:crlf", "echo", n]).encode() for n in (2, 3)]
    assert await polled.post(b"\r\n".join(lines)) == 200
    assert await polled.hears(2) == [reply("1", str(n), "room:quiet:crlf", n) for n in (2, 3)]


async def test_lp_10_inactivity(node: Node) -> None:
    watcher = await client(node, "/patient/longpoll")
    await watcher.join("room:quiet:inactive:watch")
    polled = await client(node)
    await polled.join("room:quiet:inactive")
    ended = await watcher.hears(1)
    assert ended == [[None, None, "room:quiet:inactive:watch", "ended", {"reason": "inactive"}]]
    assert await polled.post(["1", "2", "room:quiet:inactive", "echo", {}]) == 410
    await gone(polled)


async def test_lp_11_binary_messages_of_the_client(node: Node) -> None:
    polled = await client(node)
    await polled.join("room:quiet:11")
    data = bytes(range(256)) * 300
    assert await polled.post(_binary("1", "2", "room:quiet:11", "echo", data)) == 200
    assert await polled.hears(1) == [reply("1", "2", "room:quiet:11", {"binary": data.hex()})]


async def test_lp_12_a_post_that_is_not_received_within_the_window(node: Node) -> None:
    """A slow join does not block the connection here, but more than 256 KiB behind it does."""
    polled = await client(node)
    assert await polled.post(["1", "1", "room:quiet:12", "phx_join", {"sleep": 3 * WINDOW}]) == 200
    large = ["1", "2", "room:quiet:12", "echo", "x" * 300_000]
    assert await polled.post(large, ["1", "3", "room:quiet:12", "echo", "dropped"]) == 408
    assert await polled.hears(2) == [
        reply("1", "1", "room:quiet:12", {}),
        reply("1", "2", "room:quiet:12", "x" * 300_000),
    ]
    assert await polled.post(["1", "4", "room:quiet:12", "echo", 4]) == 200
    assert await polled.hears(1) == [reply("1", "4", "room:quiet:12", 4)]


async def test_lp_13_of_a_batch_the_first_100(node: Node) -> None:
    polled = await client(node, "/patient/longpoll")
    topic = "room:quiet:13"
    await polled.join(topic)
    assert await polled.post(*[["1", str(n), topic, "echo", n] for n in range(101)]) == 200
    assert await polled.post(["1", "last", topic, "echo", "last"]) == 200
    echoed = [message[4]["response"] for message in await polled.hears(101)]
    assert echoed == [*range(100), "last"]


@pytest.mark.parametrize("how", ["refused", "limited", "garbage"])
@each_version
async def test_lp_14_refused_connects(node: Node, how: str, vsn: str) -> None:
    assert await LongPollClient(node.port, vsn=vsn, how=how).get() == {"status": 403}


@pytest.mark.parametrize(("origin", "status"), [("https://example.com", 410), ("http://notallowed.com", 403)])
async def test_lp_15_origins(node: Node, origin: str, status: int) -> None:
    polled = LongPollClient(node.port, "/listed/longpoll")
    assert (await polled.get({"Origin": origin}))["status"] == status
    for method in ("POST", "OPTIONS", "PUT") if status == 403 else ():
        assert body_of(await polled.request(method, {"Origin": origin})) == {"status": 403}


async def test_lp_17_a_crash(node: Node) -> None:
    polled = await client(node)
    await polled.join("room:quiet:17")
    assert await polled.post(["1", "2", "room:quiet:17", "crash", {}]) == 200
    assert await polled.hears(1) == [["1", "1", "room:quiet:17", "phx_error", {"reason": "channel_crash"}]]
    await polled.join("room:quiet:17", ref="3")


async def test_lp_18_leaving(node: Node) -> None:
    polled = await client(node)
    await polled.join("room:quiet:18")
    assert await polled.post(["0", "2", "room:quiet:18", "phx_leave", {}]) == 200
    assert await polled.post([None, "3", "room:quiet:18", "phx_leave", {}]) == 200
    assert await polled.hears(2) == [
        reply("1", "3", "room:quiet:18", {}),
        ["1", "1", "room:quiet:18", "phx_close", {}],
    ]


async def test_lp_19_disconnect_by_id(node: Node) -> None:
    watcher = await client(node, "/patient/longpoll")
    await watcher.join("room:quiet:19a:watch")
    await watcher.join("room:quiet:19b:watch", ref="2")
    polled = await client(node, "/patient/longpoll", id="user:19")
    await polled.join("room:quiet:19a")
    await polled.join("room:quiet:19b", ref="2")
    waiting = asyncio.ensure_future(polled.get())
    assert await watcher.post(["1", "3", "room:quiet:19a:watch", "disconnect", {"id": "user:19"}]) == 200
    heard = await watcher.hears(3)
    ended = sorted((message[2], message[4]["reason"]) for message in heard if message[3] == "ended")
    assert ended == [("room:quiet:19a:watch", "disconnected"), ("room:quiet:19b:watch", "disconnected")]
    assert (await waiting)["status"] in (204, 410)  # as it came before the end or after it
    await gone(polled)


@pytest.mark.parametrize("vsn", ["123.1.1", "2.0", "", "3.0.0"])
async def test_lp_20_versions(node: Node, vsn: str) -> None:
    log = Log(node)
    assert await LongPollClient(node.port, vsn=vsn).get() == {"status": 403}
    assert f"the client asks for vsn '{vsn}'" in log.text


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json", f"{NDJSON}; charset=utf-8"])
@each_version
async def test_lp_21_content_types(node: Node, content_type: str | None, vsn: str) -> None:
    polled = await client(node, vsn=vsn)
    assert await polled.post(["1", "1", "room:quiet:21", "phx_join", {}], content_type=content_type) == 200
    assert await polled.hears(1) == [reply(ref(vsn, "1"), "1", "room:quiet:21", {})]


# What section 6 says beyond upstream's cases


async def test_requests_with_a_token_that_is_none(node: Node) -> None:
    polled = await client(node)
    good = polled.token
    assert good is not None
    other_mount = LongPollClient(node.port, "/patient/longpoll")
    for token in ("", "garbage", good[:-1], good + "x"):
        polled.token = token
        assert await polled.post(["1", "1", "room:quiet", "phx_join", {}]) == 410
        assert (await polled.get())["status"] == 410
    other_mount.token = good
    assert (await other_mount.get())["status"] == 410
    polled.token = None
    assert await polled.post(["1", "1", "room:quiet", "phx_join", {}]) == 410


async def test_a_token_is_good_for_its_time(node: Node) -> None:
    """The session itself would live for 12 s without a poll."""
    polled = await client(node, "/brief/longpoll")
    async with asyncio.timeout(LIMIT):
        while (status := await polled.post([None, "1", "phoenix", "heartbeat", {}])) == 200:
            pass
    assert status == 410
    assert (await polled.get())["status"] == 410


async def test_options(node: Node) -> None:
    asked = {"Access-Control-Request-Headers": "x-phoenix-authtoken, content-type"}
    answer = await LongPollClient(node.port).request("OPTIONS", asked)
    assert (answer.status, answer.body) == (200, b"")
    expected = {
        "access-control-allow-origin": "*",
        "access-control-allow-headers": "x-phoenix-authtoken, content-type",
        "access-control-allow-methods": "get, post, options",
        "access-control-max-age": "3600",
    }
    assert expected.items() <= answer.headers.items()


@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE", "PATCH"])
async def test_other_methods(node: Node, method: str) -> None:
    async with asyncio.timeout(LIMIT):
        answer = await LongPollClient(node.port).request(method)
    assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"garbage", None),
        (b"", None),
        (b"{}", None),
        (b"[]", None),
        (b'["\xff"]', None),
        (b"", NDJSON),
        (b'["1","1","room:quiet:z","phx_join",{}]\n', NDJSON),
        (base64.b64encode(b"\x07"), NDJSON),
    ],
)
async def test_what_cannot_be_read_ends_the_session(node: Node, body: bytes, content_type: str | None) -> None:
    polled = await client(node)
    assert await polled.post(body, content_type=content_type) == 408
    await gone(polled)


async def test_what_is_no_base64_ends_the_session(node: Node) -> None:
    polled = await client(node)
    answer = await polled.request("POST", {"Content-Type": NDJSON}, b"not base64!")
    assert answer.status == 400
    assert b"base64" in answer.body
    await gone(polled)


async def test_bodies_of_up_to_8_megabytes(node: Node) -> None:
    polled = await client(node, "/patient/longpoll")
    await polled.join("room:quiet:large")
    message = json.dumps(["1", "2", "room:quiet:large", "new_msg", {"text": ""}]).encode()
    at = message.index(b'""') + 1
    message = message[:at] + b"x" * (8_000_000 - len(message)) + message[at:]
    answer = await polled.request("POST", None, message + b" ")
    assert answer.status == 400
    assert await polled.post(message, content_type=None) == 200
    pushed = (await polled.hears(1))[0]
    assert len(pushed[4]["text"]) > 7_999_000


async def test_binary_messages_to_a_client_that_polls(node: Node) -> None:
    """Broadcasts pass it by; a reply of the channel's own is a mistake of the channel, as in V1."""
    polled = await client(node, "/patient/longpoll")
    await polled.join("room:quiet:binary")
    assert await polled.post(_binary("1", "2", "room:quiet:binary", "say_binary", b"\xff")) == 200
    assert await polled.hears(1) == [reply("1", "2", "room:quiet:binary", {})]
    assert await polled.post(["1", "3", "room:quiet:binary", "binary_reply", {}]) == 200
    assert (await polled.hears(1))[0][3:] == ["phx_error", {"reason": "channel_crash"}]


async def test_a_client_that_does_not_poll_is_let_go(node: Node) -> None:
    """Its posts wait while much waits for it, and past the limit the session ends: it comes back and joins anew."""
    polled = await client(node, "/small/longpoll")
    await polled.join("room:quiet:slow")
    flood = ["1", "2", "room:quiet:slow", "flood", {"count": 50, "size": 1000}]
    assert await polled.post(flood) == 408
    await gone(polled)


async def test_a_crash_in_connect(node: Node) -> None:
    answer = await LongPollClient(node.port, how="crash").request("GET")
    assert answer.status == 500
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_mounts_without_long_poll(node: Node) -> None:
    assert (await request(node.port, "/off/longpoll?vsn=2.0.0")).status == 404
    assert (await request(node.port, "/socket/longpoll/more?vsn=2.0.0")).status == 404
    assert (await upgrade(node.port, "/socket/websocket/more?vsn=2.0.0")).status == 404
    assert (await request(node.port, "/socket/longpoll/?vsn=2.0.0")).status == 200


def _binary(join_ref: str, ref: str, topic: str, event: str, data: bytes) -> bytes:
    names = [name.encode() for name in (join_ref, ref, topic, event)]
    return base64.b64encode(bytes([0, *map(len, names)]) + b"".join(names) + data)
