"""`roost verify` on a real node, and the canary that nobody else can find."""

import asyncio
import json
import signal
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import pytest

from roost.commands.verify import Findings, Plan, Verification
from roost.commands.witness import MAX_FAULTS
from roost.shared.canary import canary_path, canary_topic
from roost.shared.run_directory import RunDirectory
from tests.e2e.node import ROOST, START_LIMIT, Node, kill, wait_for
from tests.e2e.raw import RawClient

SMALL = ("--clients", "20", "--publishers", "5", "--rate", "10")


def token(node: Node) -> str:
    return (node.run_dir / "canary_token").read_text()


def test_a_node_that_keeps_its_promises(node: Node) -> None:
    result = node.run("verify", "--seconds", "1", *SMALL)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing lost, nothing twice, nothing out of order" in result.stdout
    assert " messages, " in result.stdout
    assert "longest pause" in result.stdout


def test_the_findings_for_programs(node: Node) -> None:
    found = node.ask("verify", "--seconds", "1", *SMALL)
    assert found["faults"] == {}
    assert (found["clients"], found["connected"], found["disconnected"]) == (20, 20, {})
    assert found["sent"] > 0  # 50, but for the pace of a busy machine
    # Two of the clients leave a topic now and then.
    assert 18 * found["sent"] <= found["heard"] <= 20 * found["sent"]


def test_the_token_is_its_owners(node: Node) -> None:
    assert stat.S_IMODE((node.run_dir / "canary_token").stat().st_mode) == 0o600
    assert len(token(node)) >= 40


@pytest.mark.parametrize("guess", ["", "guess", "guess/websocket"])
def test_without_the_token_there_is_nothing(node: Node, guess: str) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{node.port}/.roost/canary/{guess}")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == HTTPStatus.NOT_FOUND
    refused.value.close()


async def test_the_canarys_topics_are_out_of_the_applications_reach_and_the_other_way_round(node: Node) -> None:
    topic = canary_topic("test", 0)
    unmatched = {"status": "error", "response": {"reason": "unmatched topic"}}
    async with RawClient(node.url) as client:
        assert (await client.ask(["1", "1", topic, "phx_join", {}]))[4] == unmatched
    canary = f"ws://127.0.0.1:{node.port}{canary_path(token(node))}"
    async with RawClient(canary) as client:
        assert (await client.ask(["1", "1", "room:a", "phx_join", {}]))[4] == unmatched
        assert set(await client.join(topic)) == {"worker"}
        assert (await asyncio.to_thread(node.ask, "topics"))["topics"] == []


def test_faults_are_named_and_are_the_exit_status() -> None:
    with Node("tests.applications.stammer:endpoint") as node:
        result = node.run("verify", "--seconds", "3", *SMALL, "--json")
        assert result.returncode == 1, result.stderr
        found = json.loads(result.stdout)
        assert set(found["faults"]) == {"twice"}
        # Every tenth of each of five publishers, to all but whoever was just away from a topic.
        tenth = found["sent"] // 10
        assert 18 * (tenth - 4) <= found["faults"]["twice"] <= 20 * tenth
        assert len(found["examples"]) == MAX_FAULTS
        shown = node.run("verify", "--seconds", "3", *SMALL)
        assert shown.returncode == 1
        assert "got message 10 of client 0 again" in shown.stdout
        assert "faults: " in shown.stdout


@contextmanager
def verifying(node: Node) -> Iterator[subprocess.Popen[str]]:
    """A verification that has begun to publish and has an hour to go."""
    with subprocess.Popen(
        [ROOST, "verify", "--seconds", "3600", *SMALL],
        env=node.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            before = published(node)
            wait_for(lambda: published(node) > before, "the canary publishes")
            yield process
        finally:
            process.kill()


def published(node: Node) -> int:
    return sum(shard["published"] for shard in node.status()["shards"])


def test_who_ends_it_early_has_a_verdict_and_no_traceback(node: Node) -> None:
    with verifying(node) as process:
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=START_LIMIT)
    assert (process.returncode, errors) == (0, "")
    assert "nothing lost, nothing twice, nothing out of order\n" in shown


def test_a_node_that_is_gone_at_the_end_is_said_in_one_line_below_what_was_found_until_then() -> None:
    with Node() as node, verifying(node) as process:
        node.stop_processes()
        process.send_signal(signal.SIGINT)
        shown, errors = process.communicate(timeout=START_LIMIT)
    assert process.returncode == 1
    assert errors == f"no node runs in {node.run_dir} (start one with `honcho start`, or name it by --run-dir)\n"
    assert "nothing lost, nothing twice, nothing out of order while the node ran\n" in shown
    assert " 1012" in shown


def test_a_gateway_that_is_gone_at_the_end_is_no_good_end() -> None:
    with Node() as node, verifying(node) as process:
        assert node.gateway is not None
        kill(node.gateway.pid)
        node.gateway.wait()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=START_LIMIT)
    assert (process.returncode, errors) == (1, f"the node in {node.run_dir} has no gateway any more\n")


async def test_clients_that_are_not_let_in_again_are_faults(lone_node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.commands.verify.SETTLE_LIMIT", 0.5)
    draining: list[asyncio.Task[object]] = []

    def watch(findings: Findings) -> None:
        if findings.sent and not draining:
            draining.append(asyncio.ensure_future(asyncio.to_thread(lone_node.run, "drain")))
        if draining and draining[0].done() and not findings.connected:
            signal.raise_signal(signal.SIGINT)

    plan = Plan(seconds=3600, clients=4, publishers=2, rate=10.0, topics=1)
    found = await Verification(plan, RunDirectory(lone_node.run_dir), [("127.0.0.1", lone_node.port)]).run(watch)
    assert found.faults == {"not back": 4}
    assert "client 3 could not come back: server rejected WebSocket connection: HTTP 503" in found.examples


def test_more_publishers_than_clients_are_refused(node: Node) -> None:
    result = node.run("verify", "--clients", "2", "--publishers", "3")
    assert result.returncode == 2
    assert result.stderr == "--publishers must be at most --clients (2), not 3\n"


def test_no_node_is_said_in_one_line(node: Node) -> None:
    result = node.run("verify", "--run-dir", str(node.run_dir / "nothing"))
    assert result.returncode == 1
    assert result.stderr.startswith("no node runs in")
