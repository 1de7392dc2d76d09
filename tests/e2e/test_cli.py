"""The command line on a running node, as a person and as a program use it."""

import asyncio
import subprocess
from pathlib import Path

from tests.e2e.node import ROOST, ROOT, Node, wait_for
from tests.e2e.raw import RawClient
from tests.limits import LIMIT


async def test_topics_and_subscribers_are_what_the_clients_joined(node: Node) -> None:
    async with RawClient(node.url) as one, RawClient(node.url, vsn="1.0.0") as two:
        await one.join("room:cli:a")
        await one.join("room:cli:b", "2")
        await two.ask({"topic": "room:cli:a", "event": "phx_join", "payload": {}, "ref": "1"})
        topics = await asyncio.to_thread(node.ask, "topics", "room:cli:")
        assert topics == {
            "total": 2,
            "subscribers": 3,
            "topics": [{"topic": "room:cli:a", "subscribers": 2}, {"topic": "room:cli:b", "subscribers": 1}],
            "silent": [],
        }
        rows = (await asyncio.to_thread(node.ask, "subscribers", "room:cli:a"))["subscribers"]
        where = (await one.ask(["1", "9", "room:cli:a", "where", {}]))[4]["response"]
        assert sorted(row["lane"] for row in rows) == [1, 2]
        assert (where["worker"], where["channel"]) in {(row["worker"], row["subscriber"]) for row in rows}
        status = await asyncio.to_thread(node.status)
        assert sum(shard["subscribers"] for shard in status["shards"]) == 3
        assert sum(worker["channels"] for worker in status["gateway"]["workers"]) == 3
        assert sum(worker["connections"] for worker in status["gateway"]["workers"]) == 2
        table = await asyncio.to_thread(node.run, "topics")
        assert "room:cli:a" in table.stdout

    def gone() -> bool:
        return bool(node.ask("topics", "room:cli:")["topics"] == [])

    await asyncio.to_thread(wait_for, gone, "the topics are gone with their clients")


async def test_what_clients_named_cannot_steer_the_terminal(node: Node) -> None:
    async with RawClient(node.url) as client:
        await client.join("room:\x1b[31m[red]")
        for command in (("topics",), ("subscribers", "room:\x1b[31m[red]"), ("status",)):
            result = await asyncio.to_thread(node.run, *command)
            assert result.returncode == 0
            assert "\x1b" not in result.stdout
        assert "\\x1b[31m[red]" in (await asyncio.to_thread(node.run, "topics")).stdout


def test_status_for_people(node: Node) -> None:
    shown = node.run("status").stdout
    assert "examples.playground:endpoint" in shown
    assert shown.count("serving") == 2


def test_no_node_is_said_in_one_line(node: Node) -> None:
    for command in ("status", "topics", "stop"):
        result = node.run(command, "--run-dir", str(node.run_dir / "nothing"))
        assert result.returncode == 1
        assert result.stderr.startswith("no node runs in")
        assert result.stderr.count("\n") == 1
        assert not (node.run_dir / "nothing").exists()


def test_connect_works_in_a_pipe(node: Node) -> None:
    join = '["1","1","room:pipe","phx_join",{}]'
    process = subprocess.Popen(
        [ROOST, "connect", f"{node.url}/websocket?vsn=2.0.0", join],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == '["1","1","room:pipe","phx_reply",{"response":{},"status":"ok"}]\n'
    process.stdin.write('["1","2","room:pipe","ping",{"a":1}]\n')
    process.stdin.flush()
    assert process.stdout.readline() == '["1","2","room:pipe","phx_reply",{"response":{"a":1},"status":"ok"}]\n'
    process.stdin.write("garbage\n")
    process.stdin.close()
    assert process.wait(LIMIT) == 0
    said = process.stderr.read()
    assert said.startswith(f"Connected to {node.url}/websocket?vsn=2.0.0\n")
    assert "Disconnected! code 1011" in said
    process.stdout.close()
    process.stderr.close()


def test_connect_joins_and_prints_readably(node: Node) -> None:
    process = subprocess.Popen(
        [ROOST, "connect", f"http://127.0.0.1:{node.port}/socket/websocket", "--join", "numbers:negative"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == 'numbers:negative phx_reply {"response": {}, "status": "ok"}\n'
    assert process.stdout.readline() == 'numbers:negative update {"number": -1}\n'
    process.terminate()
    process.wait(LIMIT)
    process.stdout.close()


def test_connect_to_nobody_says_why(node: Node) -> None:
    result = node.run("connect", "ws://127.0.0.1:1/socket/websocket")
    assert result.returncode == 1
    assert result.stderr.startswith("Cannot connect to ws://127.0.0.1:1/socket/websocket: ")


def test_the_help_names_every_command(node: Node) -> None:
    shown = node.run("--help").stdout
    for command in ("broker", "gateway", "stop", "status", "topics", "subscribers", "connect"):
        assert command in shown
    assert "ROOST_WORKERS" in node.run("gateway", "--help").stdout


def test_python_m_roost_is_the_command(node: Node) -> None:
    result = subprocess.run(
        [str(Path(ROOST).with_name("python")), "-m", "roost", "--help"], cwd=ROOT, capture_output=True, check=True
    )
    assert b"roost" in result.stdout
