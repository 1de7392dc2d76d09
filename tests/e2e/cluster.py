"""Several nodes on one machine, each with its own run directory and port, over a real engine."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.e2e.node import Node, children, wait_for
from tests.engines import EngineServer

PLAYGROUND = "examples.playground:endpoint"
MET_LIMIT = 20.0
"""Seconds in which nodes that start find each other."""


def cluster_node(name: str, *urls: str, app: str = PLAYGROUND, **settings: str) -> Node:
    """A node of a cluster, not started."""
    node = Node(app, shards=1, workers=1)
    node.environment |= {"ROOST_CLUSTER": ",".join(urls), "ROOST_NODE": name}
    node.environment |= {f"ROOST_{variable}": value for variable, value in settings.items()}
    return node


@contextmanager
def cluster(engine: EngineServer, *names: str, app: str = PLAYGROUND, **settings: str) -> Iterator[list[Node]]:
    """Nodes of these names that have found each other."""
    nodes = [cluster_node(name, engine.url, app=app, **settings) for name in names]
    with ExitStack() as running, ThreadPoolExecutor() as pool:
        for node in nodes:
            running.callback(node.stop)
        list(pool.map(Node.start, nodes))
        meet(*nodes)
        yield nodes
        list(pool.map(Node.stop_processes, nodes))


def meet(*nodes: Node) -> None:
    """Wait until each of them sees all the others."""
    names = {node.environment["ROOST_NODE"] for node in nodes}
    for node in nodes:
        others = names - {node.environment["ROOST_NODE"]}
        wait_for(lambda node=node, others=others: others <= present(node), "the nodes have met", node.logged, MET_LIMIT)  # type: ignore[misc]


def present(node: Node) -> set[str]:
    """The other nodes that a node sees."""
    shown = cluster_status(node)
    return {row["node"] for row in shown["nodes"] if row["up"]} if shown is not None else set()


def cluster_status(node: Node) -> Any:
    """What its bridge knows, None while there is none."""
    return node.status()["cluster"]


def await_status(node: Node, what: str, **expected: Any) -> Any:
    """Wait until the bridge says so."""
    found: list[Any] = [None]

    def says() -> bool:
        found[0] = cluster_status(node)
        return found[0] is not None and all(found[0][name] == value for name, value in expected.items())

    wait_for(says, what, lambda: f"{found[0]}\n{node.logged()}")
    return found[0]


def row(node: Node, other: str) -> Any:
    """What a node knows of another one."""
    (found,) = [one for one in cluster_status(node)["nodes"] if one["node"] == other]
    return found


def bridge_pid(node: Node) -> int:
    """The process of a node's bridge."""
    assert node.broker is not None
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for pid in children(node.broker.pid):
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if b"roost.broker.bridge.process" in line.read():
                    return pid
        time.sleep(0.02)
    raise AssertionError(f"no bridge\n{node.logged()}")
