"""Behind nginx and HAProxy as the guide sets them up: clients get through, with their own addresses and schemes."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from roost.client.connection import Connection, websocket_url
from tests.e2e.node import ROOT, Node, wait_for
from tests.ports import free_port

GUIDE = ROOT / "docs" / "security.md"
SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
NGINX = shutil.which("nginx", path=SBIN)
HAPROXY = shutil.which("haproxy", path=SBIN)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    node = Node("tests.applications.proxied:endpoint", workers=1, shards=1)
    node.environment["ROOST_TRUSTED_PROXIES"] = "127.0.0.1"
    with node:
        yield node


def block(kind: str) -> str:
    """What the guide says for one of them."""
    (text,) = re.findall(rf"```{kind}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(text)


@contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def listens() -> bool:
        assert process.poll() is None, process.communicate()[0].decode()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(listens, "the proxy listens")
        yield
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def nginx(node: Node, directory: Path) -> Iterator[int]:
    assert NGINX is not None
    port = free_port()
    servers = block("nginx").replace("listen 80;", f"listen 127.0.0.1:{port};").replace(":4000", f":{node.port}")
    temporary = "\n".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (directory / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {directory}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}\n{servers}\n}}\n"
    )
    with running(NGINX, "-p", str(directory), "-c", str(directory / "nginx.conf"), port=port):
        yield port


@contextmanager
def haproxy(node: Node, directory: Path) -> Iterator[int]:
    assert HAPROXY is not None
    port = free_port()
    text = block("haproxy").replace("bind :80", f"bind 127.0.0.1:{port}").replace(":4000", f":{node.port}")
    (directory / "haproxy.cfg").write_text(text)
    with running(HAPROXY, "-f", str(directory / "haproxy.cfg"), "-db", port=port):
        yield port


@pytest.mark.parametrize(
    ("proxy", "there"),
    [
        pytest.param(nginx, NGINX, id="nginx"),
        pytest.param(haproxy, HAPROXY, id="haproxy"),
    ],
)
async def test_clients_get_through_with_their_own_addresses(
    proxy: object, there: str | None, node: Node, tmp_path: Path
) -> None:
    if there is None:
        pytest.skip("the proxies of the guide are Debian's nginx and haproxy, which are not installed")
    assert callable(proxy)
    with proxy(node, tmp_path) as port:
        async with connect(
            websocket_url(f"ws://127.0.0.1:{port}/socket", {}),
            additional_headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"},
            local_addr=("127.0.0.2", 0),
        ) as websocket:
            connection = Connection(websocket)
            seen = (await connection.join("seen")).reply
            await connection.close()
    assert seen["peer"][0] == "127.0.0.2"  # what a client says of itself is not believed
    assert seen["uri"].startswith("http:")
