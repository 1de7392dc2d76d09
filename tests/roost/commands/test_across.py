"""Commands on other nodes: what is asked there, what is shown of whom, who is named as silent, the exit status."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.cli import main
from roost.shared.acting import Disconnected, DisconnectSockets
from roost.shared.cluster import ClusterStatus, EngineState, NodeRow
from roost.shared.control import AskConfig, AskDrain, ConfigRow, DrainGateway, Message, SetConfig
from roost.shared.drain import DrainPhase, DrainStatus
from roost.shared.inspection import AskRoutes, AskSockets, AskTopics, GoneSocket, Routes, Sockets, TopicPages
from tests.roost.pretended_cluster import PretendedCluster
from tests.shared.processes import short_directory


def row(name: str, *, up: bool = True) -> NodeRow:
    return NodeRow(name, "0.1.0", 0.4 if up else 75.0, 1200, 3, 7, 1, up)


def status(*rows: NodeRow, state: EngineState = EngineState.CONNECTED) -> ClusterStatus:
    return ClusterStatus("a", "nats://engine:4222", state, 61.0, 0.0021, 17, 5000, 4, 800, 2, 1, 1, rows)


def answer(node: str, question: Message) -> Any:
    match question:
        case AskRoutes():
            return Routes((), f"app of {node}")
        case AskTopics(prefix, _):
            return TopicPages((), (f"shard of {node} {prefix}",))
        case AskSockets(name):
            return Sockets(0, (), (GoneSocket(name, ()),) if (node, name) == ("b", "user:1") else ())
        case DisconnectSockets():
            return Disconnected((f"{node}.1",))
        case AskConfig() | SetConfig():
            return [ConfigRow("max_connections", f"16384 on {node}", "what a worker takes")]
        case DrainGateway(on):
            return DrainStatus(DrainPhase.DRAINED if on else DrainPhase.OPEN, 5, 0, 0.1)
        case AskDrain():
            return DrainStatus(DrainPhase.DRAINED, 5, 0, 0.1)
    raise AssertionError(question)


@pytest.fixture
def run_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_directory() as path:
        monkeypatch.setenv("ROOST_RUN_DIR", str(path))
        monkeypatch.delenv("ROOST_NODE", raising=False)
        yield path


@pytest.fixture
def cluster(run_dir: Path) -> Iterator[PretendedCluster]:
    """Node a is asked; b answers, c is frozen, d is down."""
    with PretendedCluster(run_dir, status(row("b"), row("c"), row("d", up=False)), answer, {"c"}) as running:
        yield running


class Run:
    """A command that has ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["roost", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        self.status = ended.value.code or 0
        self.out, self.err = capsys.readouterr()

    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *arguments: Run(monkeypatch, capsys, *arguments)


def test_a_named_node_is_asked_and_shown_as_the_own_would_be(cluster: PretendedCluster, run: Any) -> None:
    assert "app of a" in run("routes").out
    assert "app of a" in run("routes", "--node", "a").out
    there = run("routes", "--node", "b", "--json")
    assert (there.status, there.json()["http"]) == (0, "app of b")
    assert cluster.asked == [("a", AskRoutes()), ("a", AskRoutes()), ("b", AskRoutes())]
    silent = run("routes", "--node", "c")
    assert (silent.status, silent.out, silent.err) == (1, "", "node c did not answer within 3 s\n")


def test_all_nodes_are_shown_below_their_names_and_the_silent_ones_are_named(
    cluster: PretendedCluster, run: Any
) -> None:
    shown = run("routes", "--node", "all")
    assert shown.status == 1
    assert shown.out.split("\n\n") == [
        "node a\neverything else: app of a",
        "node b\neverything else: app of b",
        "node c\nnode c did not answer within 3 s",
        "node d\nnode d is down, last heard 0:01:15 ago",
        "",
    ]
    told = run("routes", "--node", "all", "--json")
    assert told.status == 1
    assert {name: one["http"] for name, one in told.json()["nodes"].items()} == {"a": "app of a", "b": "app of b"}
    assert told.json()["silent"] == {
        "c": "node c did not answer within 3 s",
        "d": "node d is down, last heard 0:01:15 ago",
    }


def test_when_all_answer_the_status_is_0(run_dir: Path, run: Any) -> None:
    with PretendedCluster(run_dir, status(row("b"), row("c")), answer, set()):
        told = run("topics", "room:", "--node", "all", "--json")
    assert told.status == 0
    assert {name: one["silent"] for name, one in told.json()["nodes"].items()} == {
        name: [f"shard of {name} room:"] for name in "abc"
    }
    assert told.json()["silent"] == {}


def test_a_socket_is_missing_only_if_no_node_has_it(run_dir: Path, run: Any) -> None:
    with PretendedCluster(run_dir, status(row("b")), answer, set()):
        assert run("socket", "user:1", "--node", "all").status == 0
        missing = run("socket", "user:2", "--node", "all")
        assert run("socket", "user:1").status == 1
    assert missing.status == 1
    assert missing.err.startswith("no socket is called 'user:2'")


def test_an_id_is_disconnected_everywhere_but_a_socket_on_one_node(cluster: PretendedCluster, run: Any) -> None:
    everywhere = run("disconnect", "user:1", "--node", "all", "--json")
    assert {name: one["sockets"] for name, one in everywhere.json()["nodes"].items()} == {"a": ["a.1"], "b": ["b.1"]}
    assert run("disconnect", "3.17", "--node", "b").status == 0
    del cluster.asked[:]
    refused = run("disconnect", "3.17", "--node", "all")
    assert (refused.status, cluster.asked) == (2, [])
    assert refused.err == "3.17 is another socket on each node: name one by --node\n"


def test_settings_and_drains_of_another_node(cluster: PretendedCluster, run: Any) -> None:
    assert run("config", "get", "max_connections", "--node", "b").out == "16384 on b\n"
    assert run("config", "set", "max_connections", "9", "--node", "b").status == 0
    assert "5 clients sent away" in run("drain", "--node", "b").out
    assert "let in" in run("drain", "--off", "--node", "b").out
    assert {node for node, _ in cluster.asked} == {"b"}
    assert ("b", SetConfig("max_connections", "9")) in cluster.asked
    for command in (("drain",), ("scale", "shards", "2"), ("scale", "workers", "2"), ("config", "set", "a", "b")):
        refused = run(*command, "--node", "all")
        assert (refused.status, refused.err) == (2, "this is done to one node at a time: name one by --node\n")


def test_nodes_shows_the_cluster(cluster: PretendedCluster, run: Any) -> None:
    shown = run("nodes").out
    assert "node a, cluster: connected to nats://engine:4222 for 0:01:01, 2.1 ms there and back" in shown
    assert "17 buckets heard, 5,000 publishes sent, the engine lost and found 1 times" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["b", "up", "0.1.0", "0.4", "s", "ago", "1,200", "3", "7", "1"] in rows
    assert ["d", "gone", "0.1.0", "0:01:15", "ago", "1,200", "3", "7", "1"] in rows
    assert run("nodes", "--json").json()["nodes"][0]["lost"] == 7


def test_a_node_alone_has_no_others(run_dir: Path, run: Any) -> None:
    with PretendedCluster(run_dir, None, answer, set()):
        for command in (("nodes",), ("routes", "--node", "all")):
            refused = run(*command)
            assert (refused.status, refused.err) == (1, "this node is alone: it has no ROOST_CLUSTER\n")
