"""A node behind a proxy: this machine's 127.0.0.1 is trusted, 127.0.0.2 is a client that says what it likes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.e2e.http import UPGRADE, Response, request, upgrade
from tests.e2e.long_poll import LongPollClient
from tests.e2e.node import Node, wait_for
from tests.limits import LIMIT

PROXY, STRANGER = "127.0.0.1", "127.0.0.2"
ADA, BOB = {"X-Forwarded-For": "203.0.113.9:4711"}, {"X-Forwarded-For": "203.0.113.10"}
SOCKET = "/socket/websocket?vsn=2.0.0"
APP = "tests.applications.proxied:endpoint"


Limit = Callable[[str, int], None]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    running = Node(APP, shards=1, workers=1)
    running.environment["ROOST_TRUSTED_PROXIES"] = f"{PROXY}, 192.0.2.0/24"
    with running:
        yield running


async def test_roost_client_knows_clients_by_the_addresses_that_proxies_name(node: Node) -> None:
    async def sockets(address: str) -> list[tuple[str, str]]:
        answer = await asyncio.to_thread(node.ask, "client", address)
        return [(row["address"], row["transport"]) for row in answer["sockets"]]

    async with client(node, ADA), client(node, BOB), client(node, ADA, STRANGER):
        polled = await LongPollClient(node.port).open(ADA)
        polling = asyncio.ensure_future(keep_polling(polled))
        assert sorted(await sockets("203.0.113.9")) == [("203.0.113.9", "longpoll"), ("203.0.113.9", "websocket")]
        assert await sockets(STRANGER) == [(STRANGER, "websocket")]
        assert await sockets(PROXY) == []
        assert len(await sockets("203.0.113.0/24")) == 3
        polling.cancel()


async def keep_polling(session: LongPollClient) -> None:
    """A client that polls again and again, so that its session lasts."""
    while True:
        await session.get(ADA)


@pytest.fixture
def limit(node: Node) -> Iterator[Limit]:
    """Sets a limit for one test, which begins without clients of others."""

    def configure(name: str, value: int) -> None:
        result = node.run("config", "set", name, str(value))
        assert result.returncode == 0, result.stderr

    wait_for(lambda: node.status()["gateway"]["workers"][0]["connections"] == 0, "all clients are gone")
    yield configure
    configure("max_connections", 16_384)
    configure("max_connections_per_address", 0)


@asynccontextmanager
async def client(
    node: Node, headers: dict[str, str], source: str = PROXY, path: str = SOCKET
) -> AsyncIterator[ClientConnection]:
    """A client that comes in as soon as there is room: that others have gone is known to the node a little later."""
    url = f"ws://127.0.0.1:{node.port}{path}"
    connection = None
    async with asyncio.timeout(LIMIT):
        while connection is None:
            with suppress(InvalidStatus):
                connection = await connect(
                    url, compression=None, local_addr=(source, 0), additional_headers=headers, open_timeout=LIMIT
                )
    async with connection:
        yield connection


async def seen(connection: ClientConnection) -> Any:
    """Whom the application takes a client for."""
    await connection.send('["1","1","seen","phx_join",{}]')
    async with asyncio.timeout(LIMIT):
        return json.loads(await connection.recv())[4]["response"]


async def asks(node: Node, headers: dict[str, str], path: str = SOCKET, source: str = PROXY) -> int:
    """The status of the answer to a request for a WebSocket that is gone at once."""
    return (await upgrade(node.port, path, headers, source=source)).status


async def until(node: Node, status: int, headers: dict[str, str], path: str = SOCKET, source: str = PROXY) -> None:
    """Wait until such a request is answered so: that a connection has gone is known to the node a little later."""
    async with asyncio.timeout(LIMIT):
        while await asks(node, headers, path, source) != status:
            pass


async def page(node: Node, headers: dict[str, str], source: str = PROXY, path: str = "/page") -> Response:
    return await request(node.port, path, headers, source=source)


CASES: list[tuple[str, dict[str, str], list[Any], str]] = [
    (PROXY, ADA, ["203.0.113.9", 4711], "http"),
    (PROXY, BOB | {"X-Forwarded-Proto": "https"}, ["203.0.113.10", 0], "https"),
    (PROXY, {"X-Forwarded-For": "1.1.1.1, [2001:db8::1]:80, 192.0.2.7"}, ["2001:db8::1", 80], "http"),
    (PROXY, {"X-Forwarded-For": "unknown", "X-Forwarded-Ssl": "on"}, [PROXY], "https"),
    (PROXY, {"Forwarded": "for=203.0.113.9;proto=https", "X-Forwarded-Host": "evil.example"}, [PROXY], "http"),
    (STRANGER, ADA | {"X-Forwarded-Proto": "https"}, [STRANGER], "http"),
]
"""Where a request comes from, what it says; address and port (its own if there is none here) and scheme for it."""
each_case = pytest.mark.parametrize(("source", "headers", "peer", "scheme"), CASES)


@each_case
async def test_a_socket_sees_its_client(
    node: Node, source: str, headers: dict[str, str], peer: list[Any], scheme: str
) -> None:
    async with client(node, headers, source) as connection:
        told = await seen(connection)
        own_port = connection.local_address[1]
    assert told["peer"] == (peer if len(peer) == 2 else [*peer, own_port])
    assert told["uri"] == f"{scheme}:{node.port}"


@each_case
async def test_the_applications_own_pages_and_websockets_see_the_client(
    node: Node, source: str, headers: dict[str, str], peer: list[Any], scheme: str
) -> None:
    told = json.loads((await page(node, headers, source)).body)
    assert (told["peer"][: len(peer)], told["scheme"]) == (peer, scheme)
    async with client(node, headers, source, "/own") as connection, asyncio.timeout(LIMIT):
        told = json.loads(await connection.recv())
        assert (told["peer"][: len(peer)], told["scheme"]) == (peer, scheme.replace("http", "ws"))


@each_case
async def test_a_session_of_long_poll_sees_its_client(
    node: Node, source: str, headers: dict[str, str], peer: list[Any], scheme: str
) -> None:
    polling = LongPollClient(node.port)
    first = await request(node.port, "/socket/longpoll?vsn=2.0.0", headers, source=source)
    polling.token = json.loads(first.body)["token"]
    told = (await polling.join("seen"))[4]["response"]
    assert told["peer"][: len(peer)] == peer
    assert told["uri"] == f"{scheme}:{node.port}"


@pytest.mark.parametrize("path", [SOCKET, "/socket/longpoll?vsn=2.0.0"])
async def test_the_scheme_of_the_client_counts_for_check_origin(node: Node, path: str) -> None:
    # A proxy hands on the Host of its clients, and so the port is that of the scheme.
    site = {"Host": "example.com", "X-Forwarded-Proto": "https"}

    async def allowed(headers: dict[str, str], source: str) -> bool:
        if "longpoll" not in path:
            return await asks(node, headers, path, source) == 101
        return bool(json.loads((await page(node, headers, source, path)).body)["status"] == 410)

    assert await allowed(site | {"Origin": "https://example.com"}, PROXY)
    assert not await allowed(site | {"Origin": "http://example.com"}, PROXY)
    assert not await allowed(site | {"Origin": "https://example.com"}, STRANGER)


@pytest.mark.parametrize("path", [SOCKET, "/own"])
async def test_each_client_behind_a_proxy_has_its_own_limit(node: Node, limit: Limit, path: str) -> None:
    limit("max_connections_per_address", 2)
    async with AsyncExitStack() as stack:
        adas = [await stack.enter_async_context(client(node, ADA, path=path)) for _ in range(2)]
        refused = await upgrade(node.port, path, {"X-Forwarded-For": "1.1.1.1, 203.0.113.9:99"})
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        for _ in range(2):
            await stack.enter_async_context(client(node, BOB, path=path))
        assert await asks(node, BOB, path) == 429
        # Who is no proxy is counted by its own address, whatever it says.
        for _ in range(2):
            await stack.enter_async_context(client(node, ADA, STRANGER, path))
        assert await asks(node, {"X-Forwarded-For": "203.0.113.77"}, path, STRANGER) == 429
        # One that leaves makes room for one.
        await adas[0].close()
        await until(node, 101, ADA, path)
        async with client(node, ADA, path=path):
            await until(node, 429, ADA, path)


async def test_places_are_given_back_however_a_connection_ends(node: Node, limit: Limit) -> None:
    limit("max_connections_per_address", 1)
    for _ in range(10):
        async with client(node, ADA):
            assert await asks(node, ADA) == 429
        await until(node, 101, ADA)
        await until(node, 403, BOB | {"Origin": "https://elsewhere.com"})
        await until(node, 403, BOB, "/socket/websocket?vsn=9")
        await until(node, 101, BOB, "/own")
        async with asyncio.timeout(LIMIT):
            while (await page(node, BOB, path="/nowhere")).status != 404:
                pass
    limit("max_connections", 2)
    async with client(node, ADA), client(node, BOB):
        # The worker's own limit holds for proxies too, before anything is read.
        assert await asks(node, {"X-Forwarded-For": "203.0.113.11"}) == 503
        assert await asks(node, ADA) == 503
    async with client(node, BOB), client(node, ADA):
        pass


async def test_a_websocket_after_other_requests_of_a_proxys_connection_is_its_own_clients(
    node: Node, limit: Limit
) -> None:
    limit("max_connections_per_address", 1)

    def head(path: str, headers: dict[str, str]) -> bytes:
        lines = [f"{name}: {value}" for name, value in ({"Host": "localhost"} | headers).items()]
        return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()

    async def answer(reader: asyncio.StreamReader) -> Any:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return json.loads(await reader.readexactly(int(length.partition(b":")[2])))

    reader, writer = await asyncio.open_connection(PROXY, node.port)
    async with asyncio.timeout(LIMIT):
        for headers, address in ((ADA, "203.0.113.9"), (BOB, "203.0.113.10"), (ADA, "203.0.113.9")):
            writer.write(head("/page", headers))
            assert (await answer(reader))["peer"][0] == address
        # The connection is nobody's between requests.
        await until(node, 101, ADA)
        writer.write(head(SOCKET, UPGRADE | BOB))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert await asks(node, BOB) == 429
        await until(node, 101, ADA)
        writer.close()
    await until(node, 101, BOB)


async def test_requests_of_pages_count_while_they_are_under_way(node: Node, limit: Limit) -> None:
    limit("max_connections_per_address", 1)
    lines = "".join(f"{name}: {value}\r\n" for name, value in ADA.items())
    reader, writer = await asyncio.open_connection(PROXY, node.port)
    async with asyncio.timeout(LIMIT):
        writer.write(f"GET /slow HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        await reader.readuntil(b"begun")
        refused = await page(node, ADA)
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert await asks(node, ADA) == 429
        assert (await page(node, BOB, path="/go")).status == 200
        await reader.readuntil(b"0\r\n\r\n")
        while (await page(node, ADA)).status != 200:
            pass
        writer.close()


async def test_sessions_of_long_poll_have_the_limit_of_their_client(node: Node, limit: Limit) -> None:
    path = "/socket/longpoll?vsn=2.0.0"
    limit("max_connections_per_address", 2)  # the session, and the poll that is under way
    assert json.loads((await page(node, ADA, path=path)).body)["status"] == 410
    assert (await page(node, ADA, path=path)).status == 429
    assert json.loads((await page(node, BOB, path=path)).body)["status"] == 410


async def test_nobody_is_believed_unless_it_is_said() -> None:
    running = Node(APP, shards=1, workers=1)
    running.environment["FORWARDED_ALLOW_IPS"] = "*"  # means something to uvicorn where it is alone
    with running:
        headers = ADA | {"X-Forwarded-Proto": "https"}
        told = json.loads((await page(running, headers)).body)
        assert (told["peer"][0], told["scheme"]) == (PROXY, "http")
        async with client(running, headers) as connection:
            told = await seen(connection)
        assert (told["peer"][0], told["uri"]) == (PROXY, f"http:{running.port}")


def test_nothing_was_an_error(node: Node) -> None:
    assert ": ERROR: " not in node.logged()
