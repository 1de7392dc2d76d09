"""The HTTP API of a real node: by hand, and by schemathesis, which makes requests of its document."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from roost.client import open_connection
from tests.e2e.node import Node, wait_for
from tests.guides.blocks import blocks
from tests.limits import LIMIT
from tests.ports import free_port


class NodeWithApi(Node):
    def __init__(self) -> None:
        super().__init__(workers=2, shards=2)
        self.admin_port = free_port()
        self.environment["ROOST_ADMIN_PORT"] = str(self.admin_port)
        self.patient()

    @property
    def api(self) -> str:
        return f"http://localhost:{self.admin_port}"

    def token(self, *rights: str, max_age: str = "60") -> str:
        made = self.run("api-token", *(word for right in rights for word in ("--may", right)), "--max-age", max_age)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()


@pytest.fixture(scope="module")
def node() -> Iterator[NodeWithApi]:
    with NodeWithApi() as node:
        yield node


def client(node: NodeWithApi, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=node.api, headers={"authorization": f"Bearer {token}"}, timeout=LIMIT)


def admin_token(node: NodeWithApi) -> str:
    return Path(node.run_dir, "admin_token").read_text().strip()


async def test_the_guide_by_hand(node: NodeWithApi) -> None:
    """What the guide has typed in a shell, as it stands there but for the port and the room."""
    (typed,) = blocks("publishing.md", "sh")
    shell = typed.replace("localhost:4001", f"localhost:{node.admin_port}").replace("orders:", "room:")
    environment = {**os.environ, **node.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    async with open_connection(node.url) as connection:
        order = await connection.join("room:17")
        ran = await asyncio.to_thread(
            subprocess.run, ["bash", "-ec", shell], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        assert '"repeated":false' in ran.stdout
        assert '"topic":"room:17"' in ran.stdout
        assert (await order.receive()).payload == {"at": 1735689600}


async def test_events_are_published_in_order_and_once_a_key(node: NodeWithApi) -> None:
    token = await asyncio.to_thread(node.token, "broadcast")
    async with client(node, token) as api, open_connection(node.url) as connection:
        room = await connection.join("room:api")
        one = {"topic": "room:api", "event": "news", "payload": {"n": 0}}
        for repeated in (False, True):
            answer = await api.post("/api/broadcast", json=one, headers={"idempotency-key": "k1"})
            assert (answer.status_code, answer.json()["repeated"]) == (200, repeated)
        other = await api.post("/api/broadcast", json={**one, "event": "else"}, headers={"idempotency-key": "k1"})
        assert other.status_code == 409
        several = [{"topic": "room:api", "event": "news", "payload": {"n": n}} for n in range(1, 20)]
        assert (await api.post("/api/broadcast", json={"events": several})).status_code == 200
        assert [(await room.receive()).payload["n"] for _ in range(20)] == list(range(20))


async def test_topics_subscribers_presences_and_disconnecting(node: NodeWithApi) -> None:
    async with client(node, admin_token(node)) as api, open_connection(node.url) as connection:
        await connection.join("lobby:api", {"user": "ada"})
        topics = (await api.get("/api/topics", params={"prefix": "lobby:"})).json()
        assert topics.pop("topics") == [{"topic": "lobby:api", "subscribers": 1}]
        assert topics == {"total": 1, "complete": True, "silent": []}
        found = (await api.get("/api/subscribers", params={"topic": "lobby:api"})).json()
        assert (found["total"], found["subscribers"][0]["address"]) == (1, "127.0.0.1")
        async with asyncio.timeout(LIMIT):
            while not (present := (await api.get("/api/presences", params={"topic": "lobby:api"})).json())["total"]:
                await asyncio.sleep(0)
        assert (present["present"][0]["key"], list(present["present"][0]["metas"][0])) == (
            "ada",
            ["online_at", "phx_ref"],
        )
        name = found["subscribers"][0]["socket"]
        assert (await api.post("/api/disconnect", json={"id": name})).json()["sockets"] == [name]
        await asyncio.wait_for(connection.closed.wait(), LIMIT)


async def test_a_token_is_good_for_what_it_was_made_and_for_its_time(node: NodeWithApi) -> None:
    token = await asyncio.to_thread(node.token, "read")
    event = {"topic": "room:a", "event": "news", "payload": {}}
    async with client(node, token) as api:
        assert (await api.get("/api/topics")).status_code == 200
        refused = await api.post("/api/broadcast", json=event)
        assert (refused.status_code, refused.json()) == (403, {"error": "this token is not for broadcast"})
        assert (await api.get("/metrics")).status_code == 401
    for wrong in ("made up", "x" + token):
        async with client(node, wrong) as api:
            assert (await api.get("/api/topics")).status_code == 401
    async with client(node, token) as api:
        assert (await api.get("/api/topics", headers={"host": "evil.example"})).status_code == 421


async def test_a_body_has_a_limit(node: NodeWithApi) -> None:
    async with client(node, admin_token(node)) as api:
        answer = await api.post("/api/broadcast", content=b"[" * (9 * 1024 * 1024))
        assert answer.status_code == 413


def test_whatever_is_asked_is_answered_as_the_document_says(node: NodeWithApi, tmp_path: Path) -> None:
    token = f"Bearer {admin_token(node)}"
    document = tmp_path / "openapi.json"
    document.write_bytes(
        httpx.get(f"{node.api}/api/openapi.json", headers={"authorization": token}, timeout=LIMIT).content
    )
    probed = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", document, "--url", node.api),
            *("--header", f"Authorization: {token}", "--max-examples", "20", "--phases", "examples,coverage,fuzzing"),
            *("--generation-database", "none", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert probed.returncode == 0, probed.stdout
    assert node.run("status").returncode == 0


def test_a_node_whose_workers_do_not_answer_says_so(node: NodeWithApi) -> None:
    workers = [worker["pid"] for worker in node.status()["gateway"]["workers"]]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        answer = httpx.post(
            f"{node.api}/api/broadcast",
            json={"topic": "room:a", "event": "news", "payload": {}},
            headers={"authorization": f"Bearer {admin_token(node)}"},
            timeout=LIMIT,
        )
        assert (answer.status_code, answer.json()) == (503, {"error": "no worker answers"})
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    wait_for(lambda: node.run("status").returncode == 0, "the node answers")
