"""Connecting: upstream's cases of sections 10.1, 10.2, 10.7 that concern it, against a node of real processes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from roost import Error, Ok, Token
from tests.applications.entrances import CSRF_TOKEN, SESSION
from tests.e2e.http import UPGRADE, Response, request, upgrade
from tests.e2e.node import Node
from tests.e2e.phoenix_js import PhoenixJs

SECRET = "the secret of the tests, which is long enough to be one: 0123456789"
VERSIONS = ("1.0.0", "2.0.0")


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    running = Node("tests.applications.entrances:endpoint", shards=1, workers=1)
    running.environment["ROOST_SECRET_KEY_BASE"] = SECRET
    with running:
        yield running


async def told(
    node: Node,
    path: str = "/socket/websocket",
    query: str = "vsn=2.0.0",
    headers: dict[str, str] | None = None,
    protocols: tuple[str, ...] = (),
) -> dict[str, Any]:
    """What `connect` was told, as a channel repeats it."""
    async with connect(
        f"ws://127.0.0.1:{node.port}{path}?{query}",
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in protocols] or None,
        compression=None,
        user_agent_header="tests",
    ) as client:
        old = "vsn=2.0.0" not in query
        message = {"topic": "told:a", "event": "phx_join", "payload": {}, "ref": "1"}
        await client.send(json.dumps(message if old else ["1", "1", "told:a", "phx_join", {}]))
        reply = json.loads(await client.recv())
        payload = reply["payload"] if old else reply[4]
        assert payload["status"] == "ok"
        response: dict[str, Any] = payload["response"]
        return response


async def opened(node: Node, path: str, origin: str | None = None, **headers: str) -> int:
    """The status of an upgrade request."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await upgrade(node.port, f"{path}?vsn=2.0.0", sent | ({"Origin": origin} if origin is not None else {}))
    return answer.status


class Log:
    """What the node logs meanwhile."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._before = len(node.logged())

    @property
    def text(self) -> str:
        return self._node.logged()[self._before :]


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_01_several_segments_in_a_mounts_path(node: Node, vsn: str) -> None:
    assert await told(node, "/ws/admin/websocket", f"vsn={vsn}")


async def test_wc_04_a_limit_of_channels_of_the_sockets_own(node: Node) -> None:
    async with connect(f"ws://127.0.0.1:{node.port}/socket/websocket?vsn=2.0.0", compression=None) as client:
        for ref in ("1", "2", "3", "4"):
            await client.send(json.dumps([ref, ref, f"told:{ref}", "phx_join", {}]))
            reply = json.loads(await client.recv())
            assert reply[:4] == [ref, ref, f"told:{ref}", "phx_reply"]
            if ref == "4":
                assert reply[4] == {"status": "error", "response": {"reason": "too many channels joined"}}


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_05_x_headers(node: Node, vsn: str) -> None:
    found = await told(node, query=f"vsn={vsn}", headers={"X-Application": "Phoenix"})
    assert found["x_headers"] == [["x-application", "Phoenix"]]


async def test_wc_06_sec_websocket_headers(node: Node) -> None:
    headers = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    async with connect(
        f"ws://127.0.0.1:{node.port}/protocols/websocket?vsn=2.0.0",
        subprotocols=[Subprotocol("sip")],
        additional_headers=headers,
        compression=None,
    ) as client:
        await client.send(json.dumps(["1", "1", "told:a", "phx_join", {}]))
        found = dict(json.loads(await client.recv())[4]["response"]["sec_websocket_headers"])
    assert found["sec-websocket-protocol"] == "sip"
    assert found["sec-websocket-extensions"] == "permessage-deflate"


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_07_trace_context_headers(node: Node, vsn: str) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "congo=t61rc"}
    found = await told(node, query=f"vsn={vsn}", headers=trace)
    assert dict(found["trace_context_headers"]) == trace


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_08_peer_data(node: Node, vsn: str) -> None:
    address, port, certificate = (await told(node, query=f"vsn={vsn}"))["peer_data"]
    assert (address, certificate) == ("127.0.0.1", None)
    assert 0 < port < 65536


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_09_uri(node: Node, vsn: str) -> None:
    assert (await told(node, query=f"vsn={vsn}"))["uri"] == {
        "scheme": "http",
        "host": "127.0.0.1",
        "port": node.port,
        "path": "/socket/websocket",
        "query": f"vsn={vsn}",
    }


@pytest.mark.parametrize("vsn", VERSIONS)
async def test_wc_10_user_agent(node: Node, vsn: str) -> None:
    assert (await told(node, query=f"vsn={vsn}"))["user_agent"] == "tests"


@pytest.mark.parametrize("vsn", VERSIONS)
@pytest.mark.parametrize(
    ("cookie", "token", "session"),
    [("session=ada", CSRF_TOKEN, SESSION), ("", CSRF_TOKEN, None), ("session=ada", "x" * 56, None)],
)
async def test_wc_11_session(node: Node, vsn: str, cookie: str, token: str, session: Any) -> None:
    query = f"_csrf_token={token}&vsn={vsn}"
    found = await told(node, "/sessions/websocket", query, {"Cookie": cookie} if cookie else None)
    assert found["session"] == session
    assert found["params"]["_csrf_token"] == token


async def test_wc_12_custom_connect_info(node: Node) -> None:
    assert (await told(node, "/custom/nested/r/ws"))["custom"] == {"tenant": "acme"}


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        ("/listed/websocket", None, 101),
        ("/listed/websocket", "https://a.example.com", 101),
        ("/listed/websocket", "https://example.com", 101),
        ("/listed/websocket", "http://other.com:99", 101),
        ("/listed/websocket", "http://a.example.com", 403),
        ("/listed/websocket", "https://prefix-example.com", 403),
        ("/listed/websocket", "null", 403),
        ("/unchecked/websocket", "http://evil.com", 101),
        ("/asked/websocket", "null", 101),
        ("/asked/websocket", "http://a.com", 403),
        ("/socket/websocket", "http://localhost:1", 101),
        ("/socket/websocket", "http://127.0.0.1:1", 101),
        ("/socket/websocket", "https://[::1]", 101),
        ("/socket/websocket", "http://LOCALHOST", 403),
        ("/socket/websocket", "http://evil.com", 403),
        ("/socket/websocket", "file://", 403),
        ("/socket/websocket", "", 403),
        ("/same/websocket", "http://here.com:80", 101),
        ("/same/websocket", "http://localhost", 403),
    ],
)
async def test_wc_19_ws_02_and_or_origins(node: Node, path: str, origin: str | None, status: int) -> None:
    assert await opened(node, path, origin, Host="here.com") == status


async def test_a_refused_origin_is_logged_once_and_is_no_error(node: Node) -> None:
    log = Log(node)
    assert await opened(node, "/socket/websocket", "http://evil.example") == 403
    (line,) = [line for line in log.text.splitlines() if "evil.example" in line]
    assert "WARNING" in line
    assert "ROOST_PUBLIC_HOST" in line


async def test_an_origin_function_that_crashes_is_the_applications_fault(node: Node) -> None:
    log = Log(node)
    assert await opened(node, "/crashes/websocket", "http://a.com") == 500
    assert "the function was asked to crash" in log.text


async def test_wc_20_and_21_refusals_of_the_application(node: Node) -> None:
    async def refused(how: str) -> Response:
        return await upgrade(node.port, f"/socket/websocket?vsn=2.0.0&how={how}")

    answer = await refused("refused")
    assert (answer.status, answer.body) == (403, b"")
    answer = await refused("limited")
    assert (answer.status, json.loads(answer.body)) == (429, {"reason": "too often"})
    log = Log(node)
    answer = await refused("garbage")
    assert (answer.status, answer.body) == (403, b"")
    assert "http_status must be" in log.text
    assert (await refused("crash")).status == 500


async def test_wc_24_a_version_that_is_not_served(node: Node) -> None:
    log = Log(node)
    answer = await upgrade(node.port, "/socket/websocket?vsn=0.1.0")
    assert (answer.status, answer.body) == (403, b"")
    (line,) = log.text.splitlines()
    assert "WARNING" in line
    assert "'0.1.0'" in line


@pytest.mark.parametrize("query", ["vsn[]=2.0.0", "vsn[a]=2.0.0"])
async def test_versions_that_are_no_text(node: Node, query: str) -> None:
    assert (await upgrade(node.port, f"/socket/websocket?{query}")).status == 403


async def test_ws_01_a_plain_get(node: Node) -> None:
    answer = await request(node.port, "/socket/websocket?vsn=2.0.0")
    assert (answer.status, answer.body) == (400, b"'connection' header must contain 'upgrade', got []")


async def test_ws_01_a_refusal_comes_before_a_malformed_upgrade(node: Node) -> None:
    assert (await request(node.port, "/socket/websocket?vsn=2.0.0&how=refused")).status == 403


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
async def test_only_get_opens_sockets(node: Node, method: str) -> None:
    answer = await request(node.port, "/socket/websocket?vsn=2.0.0", UPGRADE, method=method)
    assert (answer.status, answer.body) == (400, b"")


async def test_ws_03_sub_protocols(node: Node) -> None:
    async def chosen(offered: str | None) -> tuple[int, str | None]:
        headers = {} if offered is None else {"Sec-WebSocket-Protocol": offered}
        answer = await upgrade(node.port, "/protocols/websocket?vsn=2.0.0", headers)
        return answer.status, answer.headers.get("sec-websocket-protocol")

    assert await chosen("mqtt, sip") == (101, "sip")
    assert await chosen("other, mqtt") == (101, "mqtt")
    assert await chosen(None) == (101, None)
    log = Log(node)
    assert await chosen("other") == (403, None)
    assert "other" in log.text
    assert await chosen("") == (403, None)


async def test_ws_04_parameters(node: Node) -> None:
    found = await told(node, query="vsn=2.0.0&a[b][c]=1&a[b][d]=2&l[]=x&l[]=y&text=a+b%20%C3%A9")
    assert found["params"] == {
        "vsn": "2.0.0",
        "a": {"b": {"c": "1", "d": "2"}},
        "l": ["x", "y"],
        "text": "a b é",
    }


async def test_parameters_that_are_no_text(node: Node) -> None:
    answer = await upgrade(node.port, "/socket/websocket?vsn=2.0.0&a=%ff")
    assert (answer.status, answer.body) == (400, b"the query string is not valid UTF-8")


async def test_ws_07_and_08_names_in_paths(node: Node) -> None:
    assert (await told(node, "/users/42/websocket", "vsn=2.0.0&user=7"))["params"] == {"vsn": "2.0.0", "user": "42"}
    found = await told(node, "/custom/nested/a%20b/ws")
    assert found["params"] == {"vsn": "2.0.0", "room": "a b"}
    assert (await upgrade(node.port, "/users/42/more/websocket")).status == 404
    assert (await upgrade(node.port, "/users/42/websocket/?vsn=2.0.0")).status == 101
    assert (await upgrade(node.port, "http://a.com/users/42/websocket?vsn=2.0.0")).status == 101


class TestAuthTokens:
    """Section 2.3."""

    @pytest.mark.parametrize(
        ("offered", "status", "chosen"),
        [
            ("phoenix, base64url.bearer.phx.YWJj", 101, "phoenix"),
            ("phoenix", 101, "phoenix"),
            ("base64url.bearer.phx.YWJj", 101, None),
            ("phoenix, base64url.bearer.phx.YQ, base64url.bearer.phx.Yg", 101, "phoenix"),
            ("sip", 403, None),
            ("sip, base64url.bearer.phx.YWJj", 403, None),
            ("phoenix, base64url.bearer.phx.!", 400, None),
        ],
    )
    async def test_what_is_chosen(self, node: Node, offered: str, status: int, chosen: str | None) -> None:
        answer = await upgrade(node.port, "/tokens/websocket?vsn=2.0.0", {"Sec-WebSocket-Protocol": offered})
        assert (answer.status, answer.headers.get("sec-websocket-protocol")) == (status, chosen)

    async def test_what_connect_is_told(self, node: Node) -> None:
        found = await told(node, "/tokens/websocket", protocols=("phoenix", "base64url.bearer.phx.YWJj"))
        assert found["auth_token"] == "abc"
        assert ["sec-websocket-protocol", "phoenix"] in found["sec_websocket_headers"]
        assert (await told(node, "/tokens/websocket"))["auth_token"] is None

    async def test_phoenix_js(self, node: Node, phoenix: PhoenixJs) -> None:
        client = await phoenix.connect(f"ws://127.0.0.1:{node.port}/tokens", authToken="abc+/=é")
        _, verdict = await client.try_to_join("told:a")
        assert verdict["response"]["auth_token"] == "abc+/=é"


class TestTokens:
    """`Token` in a worker has the node's secret."""

    async def test_a_channel_signs_and_a_socket_verifies(self, node: Node) -> None:
        async with connect(f"ws://127.0.0.1:{node.port}/socket/websocket?vsn=2.0.0", compression=None) as client:
            await client.send(json.dumps(["1", "1", "token", "phx_join", {"user": 7}]))
            token = json.loads(await client.recv())[4]["response"]["token"]
        assert Token.verify(SECRET, "user", token) == Ok(7)
        assert await told(node, query=f"vsn=2.0.0&token={token}")
        answer = await upgrade(node.port, "/socket/websocket?vsn=2.0.0&token=garbage")
        assert (answer.status, answer.body) == (403, b"invalid")
        answer = await upgrade(node.port, "/socket/websocket?vsn=2.0.0&token[]=garbage")
        assert (answer.status, answer.body) == (403, b"invalid")
        assert Token.verify(SECRET, "user", "garbage") == Error("invalid")


async def test_nothing_but_the_applications_own_faults_was_an_error(node: Node) -> None:
    """The last test of this node: what its clients did wrong is not in the log as an error."""
    for line in node.logged().splitlines():
        if ": ERROR: " in line:
            assert "crash" in line or "http_status" in line, line
