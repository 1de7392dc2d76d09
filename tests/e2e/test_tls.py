"""https beside http: the same sockets, pages and broadcasts through TLS."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.certificate import write_certificate
from tests.e2e.http import request, upgrade
from tests.e2e.node import Node
from tests.e2e.raw import RawClient
from tests.limits import LIMIT
from tests.ports import free_port

BIG = "x" * 1_000_000


class TlsNode(Node):
    """A node with a certificate."""

    def __init__(self, directory: Path) -> None:
        super().__init__("tests.applications.behaviour:endpoint", shards=1, workers=2)
        self.https_port = free_port()
        self.certfile, keyfile = write_certificate(directory)
        self.environment |= {
            "ROOST_CERTFILE": str(self.certfile),
            "ROOST_KEYFILE": str(keyfile),
            "ROOST_HTTPS_PORT": str(self.https_port),
        }

    @property
    def context(self) -> ssl.SSLContext:
        """A client's, which trusts this certificate alone."""
        return ssl.create_default_context(cafile=str(self.certfile))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsNode]:
    running = TlsNode(tmp_path_factory.mktemp("tls"))
    with running:
        yield running


def secure(node: TlsNode) -> connect:
    return connect(
        f"wss://127.0.0.1:{node.https_port}/socket/websocket?vsn=2.0.0",
        ssl=node.context,
        compression=None,
        max_size=None,
        ping_interval=None,
    )


async def hears(client: ClientConnection, event: str) -> Any:
    """The payload of the next such event; the library sends no pings, which would wake anything."""
    async with asyncio.timeout(LIMIT):
        while True:
            frame = json.loads(await client.recv())
            if frame[3] == event:
                return frame[4]


async def test_broadcasts_reach_clients_of_both_kinds(node: TlsNode) -> None:
    async with secure(node) as client, RawClient(node.url) as plain:
        await plain.join("do:a")
        await client.send(json.dumps(["1", "1", "do:a", "phx_join", {}]))
        assert await hears(client, "welcome")
        for topic_event in ("second", "fourth", "fifth"):
            if topic_event == "second":
                await client.send(json.dumps(["1", "2", "do:a", "order", {}]))
            await hears(client, topic_event)
        frames = [await plain.receive() for _ in range(4)]
        assert [frame[3] for frame in frames if frame[3] != "welcome"] == ["second", "fourth", "fifth"]


async def test_large_messages_there_and_back(node: TlsNode) -> None:
    async with secure(node) as client:
        await client.send(json.dumps(["1", "1", "do:big", "phx_join", {"big": BIG}]))
        reply = await hears(client, "phx_reply")
        assert reply["response"]["params"] == {"big": BIG}


async def test_pages_and_refusals(node: TlsNode) -> None:
    page = await request(node.https_port, "/hello", tls=node.context)
    assert (page.status, page.body) == (200, b"hello")
    plain = await request(node.port, "/hello")
    assert (plain.status, plain.body) == (200, b"hello")
    assert (await request(node.https_port, "/nothing", tls=node.context)).status == 404
    answer = await upgrade(node.https_port, "/socket/websocket?vsn=9", tls=node.context)
    assert answer.status == 403


@pytest.mark.parametrize(("scheme", "status"), [("https", 410), ("http", 403)])
async def test_long_poll_knows_that_it_came_by_https(node: TlsNode, scheme: str, status: int) -> None:
    origin = {"Origin": f"{scheme}://127.0.0.1:{node.https_port}"}
    answer = await request(node.https_port, "/polled/longpoll?vsn=2.0.0", origin, tls=node.context)
    assert json.loads(answer.body)["status"] == status


def without_tls(port: int) -> bytes:
    """What a client that speaks no TLS is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
        client.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            return client.recv(1000)
        except ConnectionError:
            return b""


async def test_http_on_the_port_of_https_ends_that_connection_alone(node: TlsNode) -> None:
    assert b"200" not in without_tls(node.https_port)
    assert (await request(node.https_port, "/hello", tls=node.context)).status == 200


async def test_only_new_protocols_are_spoken(node: TlsNode) -> None:
    context = node.context
    async with secure(node) as client:
        spoken = client.transport.get_extra_info("ssl_object")
        assert spoken.version() in ("TLSv1.2", "TLSv1.3")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert (await request(node.https_port, "/hello", tls=context)).status == 200


def test_the_node_says_where_it_serves(node: TlsNode) -> None:
    assert f"https://127.0.0.1:{node.https_port}" in node.logged()
    assert ["127.0.0.1", node.https_port] in node.status()["gateway"]["https_addresses"]


def test_nothing_was_an_error(node: TlsNode) -> None:
    assert ": ERROR: " not in node.logged()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ROOST_CERTFILE": "/nowhere.pem"}, "/nowhere.pem: No such file or directory"),
        ({"ROOST_CERTFILE": __file__}, "not in PEM format"),
        ({"ROOST_KEYFILE": "key.pem"}, "ROOST_KEYFILE without ROOST_CERTFILE"),
    ],
)
def test_what_is_no_certificate_is_said_before_anything_starts(settings: dict[str, str], sentence: str) -> None:
    node = Node("tests.applications.behaviour:endpoint")
    node.environment |= settings
    try:
        result = node.run("gateway", node.app)
    finally:
        node.stop()
    assert result.returncode == 1
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
