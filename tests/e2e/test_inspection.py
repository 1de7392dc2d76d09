"""Looking into a loaded node of real processes: what the commands say is what the clients know to be true."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest

from tests.e2e.node import Node, wait_for
from tests.e2e.raw import RawClient

CLIENTS = 60
HALLS = 7


class Crowd:
    """Clients that know who they are and what they have joined."""

    def __init__(self) -> None:
        self.clients: list[RawClient] = []
        self.sockets: list[str] = []
        """`WORKER.NUMBER` of each client."""
        self.topics: list[list[str]] = []
        self.subscribers: dict[str, set[tuple[int, int]]] = {}
        self.began = time.time()

    async def enter(self, client: RawClient, topics: list[str]) -> None:
        self.clients.append(client)
        self.topics.append(topics)
        for at, topic in enumerate(topics):
            await client.join(topic, str(at))
            where = (await client.ask([str(at), "9", topic, "where", {}]))[4]["response"]
            self.subscribers.setdefault(topic, set()).add((where["worker"], where["subscriber"]))
        self.sockets.append(f"{where['worker']}.{where['number']}")

    def of(self, topic: str) -> set[str]:
        return {name for name, topics in zip(self.sockets, self.topics, strict=True) if topic in topics}


@pytest.fixture(scope="module")
def busy() -> Iterator[Node]:
    """A node of three shards and two workers."""
    with Node("tests.applications.inspected:endpoint", shards=3, workers=2).patient() as running:
        yield running


@pytest.fixture
async def crowd(busy: Node) -> AsyncIterator[Crowd]:
    """Some hundreds of subscriptions."""
    made = Crowd()
    async with AsyncExitStack() as stack:
        for at in range(CLIENTS):
            user = {} if at % 2 else {"user": f"u{at % 4}"}
            client = await stack.enter_async_context(RawClient(busy.url, **user))
            await made.enter(client, ["hall:all", *(f"hall:{(at + step) % HALLS}" for step in range(4))])
        yield made
    await asyncio.to_thread(wait_for, lambda: busy.ask("topics", "hall:")["total"] == 0, "all are gone")


async def ask(node: Node, *arguments: str) -> Any:
    return await asyncio.to_thread(node.ask, *arguments)


async def test_topics(busy: Node, crowd: Crowd) -> None:
    truth = {topic: len(subscribers) for topic, subscribers in crowd.subscribers.items()}
    answer = await ask(busy, "topics")
    assert {row["topic"]: row["subscribers"] for row in answer["topics"]} == {
        **truth,
        **Counter(user for user in (f"user:u{at % 4}" for at in range(0, CLIENTS, 2))),
    }
    answer = await ask(busy, "topics", "hall:", "--sort", "subscribers", "--limit", "3", "--offset", "1")
    assert answer["total"] == len(truth)
    assert answer["subscribers"] == sum(truth.values())
    ranked = sorted(truth.items(), key=lambda item: (-item[1], item[0]))
    assert [(row["topic"], row["subscribers"]) for row in answer["topics"]] == ranked[1:4]
    reverse = await ask(busy, "topics", "hall:", "--reverse", "--limit", "2")
    assert [row["topic"] for row in reverse["topics"]] == sorted(truth, reverse=True)[:2]


async def test_subscribers(busy: Node, crowd: Crowd) -> None:
    answer = await ask(busy, "subscribers", "hall:all")
    rows = answer["subscribers"]
    assert answer["total"] == CLIENTS == len(rows)
    assert {(row["worker"], row["subscriber"]) for row in rows} == crowd.subscribers["hall:all"]
    assert {row["socket"] for row in rows} == set(crowd.sockets)
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert len({tuple(row["slot"]) for row in rows}) == 3
    assert all(crowd.began - 1 < row["since"] < time.time() + 0.1 for row in rows)
    assert Counter(row["id"] for row in rows) == Counter({None: CLIENTS // 2, "user:u0": 15, "user:u2": 15})
    few = await ask(busy, "subscribers", "hall:all", "--limit", "5")
    assert (few["total"], len(few["subscribers"])) == (CLIENTS, 5)
    assert (await ask(busy, "subscribers", "hall:nobody"))["total"] == 0


async def test_a_socket_in_full(busy: Node, crowd: Crowd) -> None:
    client, name = crowd.clients[0], crowd.sockets[0]
    await client.join("room:lobby", "77")
    await client.send(["78", "78", "room:refused", "phx_join", {}])
    assert (await client.receive())[4]["status"] == "error"
    await client.ask([None, "9", "phoenix", "heartbeat", {}])
    answer = await ask(busy, "socket", name)
    (state,) = answer["sockets"]
    assert (answer["total"], answer["gone"]) == (1, [])
    row = state["row"]
    assert (row["socket"], row["id"], row["channels"]) == (name, "user:u0", 6)
    assert (row["transport"], row["waiting"], row["held_back"]) == ("websocket", 0, 0)
    assert row["heartbeat"] >= row["since"] >= crowd.began - 1
    assert state["assigns"] == '{"password": "[FILTERED]", "name": "u0"}'
    assert [channel["topic"] for channel in state["channels"]] == [*crowd.topics[0], "room:lobby"]
    room = state["channels"][-1]
    assert (room["join_ref"], room["state"]) == ("77", "joined")
    assert room["assigns"] == '{"api_token": "[FILTERED]", "visits": 3}'
    events = [(event["event"], event["topic"]) for event in state["events"]]
    assert events[0] == ("connected", None)
    assert events[-4:] == [
        ("join", "room:lobby"),
        ("joined", "room:lobby"),
        ("join", "room:refused"),
        ("join refused", "room:refused"),
    ]
    shown = (await asyncio.to_thread(busy.run, "socket", name)).stdout
    assert "hunter2" not in shown
    assert "room:lobby" in shown
    news = await ask(busy, "subscribers", "news")
    assert [row["socket"] for row in news["subscribers"]] == [name]


async def test_sockets_of_one_id(busy: Node, crowd: Crowd) -> None:
    answer = await ask(busy, "socket", "user:u2")
    assert answer["total"] == 15
    truth = {name for at, name in enumerate(crowd.sockets) if at % 4 == 2}
    assert {state["row"]["socket"] for state in answer["sockets"]} == truth
    missing = await asyncio.to_thread(busy.run, "socket", "user:nobody")
    assert missing.returncode == 1
    assert missing.stderr.startswith("no socket is called 'user:nobody'")


async def test_sockets_of_an_address(busy: Node, crowd: Crowd) -> None:
    for address in ("127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.1"):
        answer = await ask(busy, "client", address)
        assert (answer["total"], len(answer["sockets"])) == (CLIENTS, CLIENTS), address
    assert {row["socket"] for row in (await ask(busy, "client", "127.0.0.1"))["sockets"]} == set(crowd.sockets)
    assert (await ask(busy, "client", "10.0.0.1"))["total"] == 0
    wrong = await asyncio.to_thread(busy.run, "client", "nonsense")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


async def test_the_tree_and_the_routes(busy: Node, crowd: Crowd) -> None:
    tree = await ask(busy, "tree")
    assert len(tree["shards"]) == 3
    workers = tree["gateway"]["workers"]
    pids = {tree["pid"], tree["gateway"]["pid"], *(one["pid"] for one in (*tree["shards"], *workers))}
    assert pids == busy.pids()
    assert all(one["answered"] and one["restarts"] == 0 for one in (*tree["shards"], *workers))
    sockets = {worker["worker"]["number"]: worker["worker"]["sockets"] for worker in workers}
    truth = Counter(int(name.partition(".")[0]) for name in crowd.sockets)
    name = "tests.applications.inspected.UserSocket"
    assert {worker: counts.get(name, 0) for worker, counts in sockets.items()} == {
        worker: truth[worker] for worker in sockets
    }
    channels = sum(
        worker["worker"]["channels"].get("tests.applications.inspected.HallChannel", 0) for worker in workers
    )
    assert channels == 5 * CLIENTS
    assert all(f"http://127.0.0.1:{busy.port}" in worker["worker"]["listeners"] for worker in workers)
    routes = await ask(busy, "routes")
    (mount,) = routes["mounts"]
    assert (mount["websocket"], mount["longpoll"]) == ("/socket/websocket", "/socket/longpoll")
    assert [(route["pattern"], route["channel"].rpartition(".")[2]) for route in mount["routes"]] == [
        ("room:*", "RoomChannel"),
        ("hall:*", "HallChannel"),
    ]
    for command in ("tree", "routes", "topics", "status"):
        assert (await asyncio.to_thread(busy.run, command)).returncode == 0


async def test_broadcast_reaches_all_who_joined(busy: Node, crowd: Crowd) -> None:
    answer = await ask(busy, "broadcast", "hall:1", "notice", '{"text": "é\\u001b"}')
    assert answer["publish"] >= 1
    for client, topics in zip(crowd.clients, crowd.topics, strict=True):
        if "hall:1" in topics:
            assert (await client.receive())[2:] == ["hall:1", "notice", {"text": "é\x1b"}]
    own = await asyncio.to_thread(busy.run, "broadcast", "room:" + "x" * 70_000, "a")
    assert own.returncode == 0
    for topic, event, payload in (("hall:1", "a", "[1]"), ("hall:1", "a", "nonsense")):
        refused = await asyncio.to_thread(busy.run, "broadcast", topic, event, payload)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)


async def test_disconnect_closes_those_that_are_named(busy: Node, crowd: Crowd) -> None:
    one = await ask(busy, "disconnect", crowd.sockets[1])
    assert one["sockets"] == [crowd.sockets[1]]
    assert await crowd.clients[1].closed() == 1001
    gone = await ask(busy, "socket", crowd.sockets[1])
    assert gone["total"] == 0
    assert "disconnected" in [event["event"] for event in gone["gone"][0]["events"]]
    many = await ask(busy, "disconnect", "user:u0")
    assert set(many["sockets"]) == {name for at, name in enumerate(crowd.sockets) if at % 4 == 0}
    for at in range(0, CLIENTS, 4):
        assert await crowd.clients[at].closed() == 1001
    assert (await asyncio.to_thread(busy.run, "disconnect", "user:u0")).returncode == 1
    left = set(crowd.sockets) - set(one["sockets"]) - set(many["sockets"])
    assert {row["socket"] for row in (await ask(busy, "client", "127.0.0.1"))["sockets"]} == left


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does not answer, for a moment shorter than the stall limit."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_stopped_worker_is_named_and_the_others_answer(busy: Node, crowd: Crowd) -> None:
    workers = (await ask(busy, "status"))["gateway"]["workers"]
    numbers = {worker["number"]: worker["pid"] for worker in workers}
    halted = int(crowd.sockets[0].partition(".")[0])
    (name,) = (one["name"] for one in (await ask(busy, "tree"))["gateway"]["workers"] if one["pid"] == numbers[halted])
    others = {socket for socket in crowd.sockets if not socket.startswith(f"{halted}.")}
    with stopped(numbers[halted]):
        tree = await ask(busy, "tree")
        assert [one["name"] for one in tree["gateway"]["workers"] if not one["answered"]] == [name]
        found = await ask(busy, "subscribers", "hall:all")
        assert found["silent"] == [name]
        assert {row["socket"] for row in found["subscribers"]} == others
        found = await ask(busy, "client", "127.0.0.1")
        assert (found["silent"], found["total"]) == ([name], len(others))
        topics = await ask(busy, "topics", "hall:all")
        assert (topics["silent"], topics["topics"][0]["subscribers"]) == ([], CLIENTS)
        shown = await asyncio.to_thread(busy.run, "tree")
        assert "did not answer" in shown.stdout


async def test_a_stopped_shard_is_named_and_the_others_answer(busy: Node, crowd: Crowd) -> None:
    rows = (await ask(busy, "subscribers", "hall:all"))["subscribers"]
    halted = max((await ask(busy, "status"))["shards"], key=lambda shard: shard["slot"])
    theirs = sum(row["slot"] == halted["slot"] for row in rows)
    name = f"shard {halted['slot'][0]}/{halted['slot'][1]}"
    with stopped(halted["pid"]):
        topics = await ask(busy, "topics", "hall:all")
        assert topics["silent"] == [name]
        assert topics["topics"][0]["subscribers"] == CLIENTS - theirs
        tree = await ask(busy, "tree")
        assert [one["name"] for one in tree["shards"] if not one["answered"]] == [name]
        assert (await ask(busy, "subscribers", "hall:all"))["total"] == CLIENTS


def test_a_killed_worker_has_a_restart(busy: Node) -> None:
    before = busy.ask("tree")["gateway"]["workers"][0]
    os.kill(before["pid"], signal.SIGKILL)

    def again() -> bool:
        now = busy.ask("tree")["gateway"]["workers"]
        return any(
            one["name"] == before["name"] and one["restarts"] == before["restarts"] + 1 and one["answered"]
            for one in now
        )

    wait_for(again, "the worker is there again")


async def test_status_tells_rates_and_what_processes_use(busy: Node, crowd: Crowd) -> None:
    stop = asyncio.Event()

    async def talk() -> None:
        async with RawClient(busy.url) as client:
            await client.join("hall:talk")
            while not stop.is_set():
                await client.send(["1", "2", "hall:talk", "shout", {}])
                assert [(await client.receive())[3] for _ in range(2)] == ["heard", "phx_reply"]
                await asyncio.sleep(0.05)

    talking = asyncio.ensure_future(talk())
    try:
        status = await ask(busy, "status", "--over", "3")
    finally:
        stop.set()
        await talking
    load = status["load"]
    assert load["seconds"] >= 3
    assert sum(rates["published"] for rates in load["workers"].values()) > 0
    assert sum(rates["delivered"] for rates in load["workers"].values()) > 0
    assert all(rates["published"] > 0 for rates in load["shards"].values())
    assert set(map(int, load["processes"])) == busy.pids()
    assert all(used["memory"] > 1_000_000 for used in load["processes"].values())
    shown = (await asyncio.to_thread(busy.run, "status", "--over", "0")).stdout
    assert shown.count(" serving ") == 2


def test_doctor_on_a_running_node(busy: Node) -> None:
    findings = {finding["what"]: finding for finding in busy_doctor(busy)}
    assert findings["version"]["verdict"] == "ok"
    assert findings["run directory"]["verdict"] == "ok"
    assert (findings[f"port {busy.port}"]["verdict"], findings[f"port {busy.port}"]["says"]) == (
        "ok",
        "this node listens on it",
    )
    assert "sockets" not in findings


def test_doctor_finds_what_is_wrong(busy: Node) -> None:
    os.chmod(busy.run_dir, 0o755)
    (busy.run_dir / "bus" / "77-0-1.sock").touch()
    try:
        findings = {finding["what"]: finding for finding in busy_doctor(busy, status=1)}
        taken = busy.run("doctor", "--run-dir", str(busy.run_dir / "other"), "--json")
    finally:
        os.chmod(busy.run_dir, 0o700)
        (busy.run_dir / "bus" / "77-0-1.sock").unlink()
    assert "mode 0755" in findings["run directory"]["says"]
    assert "bus/77-0-1.sock" in findings["sockets"]["says"]
    assert taken.returncode == 1
    assert f"port {busy.port} is already in use" in taken.stdout
    assert not (busy.run_dir / "other").exists()


def busy_doctor(node: Node, *, status: int = 0) -> Any:
    """What the doctor finds of a node."""
    result = node.run("doctor", "--json")
    assert result.returncode == status, result.stdout + result.stderr
    return json.loads(result.stdout)["findings"]


def test_config_names_the_source_of_each_setting(busy: Node) -> None:
    rows = {row["variable"]: row for row in busy.ask("config")}
    assert (rows["ROOST_SHARDS"]["value"], rows["ROOST_SHARDS"]["source"]) == ("3", "environment")
    assert rows["ROOST_HOST"]["source"] == "default"
    assert rows["ROOST_MAX_CONNECTIONS"]["source"] == "default"
    assert busy.run("config", "set", "max_connections", "12345").returncode == 0
    row = next(row for row in busy.ask("config") if row["name"] == "max_connections")
    assert (row["value"], row["source"]) == ("12345", "the running node")
    assert "12345" in busy.run("config").stdout


def test_config_checks_a_file(busy: Node) -> None:
    file = busy.run_dir / "env"
    file.write_text("# a comment\nROOST_PORT=4000\nOTHER=1\n")
    assert busy.run("config", "--check", str(file)).returncode == 0
    assert busy.ask("config", "--check", str(file)) == {"file": str(file), "settings": 1, "complaints": []}
    file.write_text("ROOST_PORT=http\nROOST_WORKERZ=2\n")
    wrong = busy.run("config", "--check", str(file))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 2
    assert "did you mean ROOST_WORKERS?" in wrong.stderr
    file.unlink()
