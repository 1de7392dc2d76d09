"""The nodes of a cluster with their engine, and one node that is alone: what runs where."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from tests.e2e.cluster import bridge_pid, cluster, start
from tests.e2e.node import Node
from tests.engines import NatsServer
from tests.load.server import ServerProcess

APP: Final = "tests.applications.clustered_rooms:endpoint"
OWN: Final = ""
"""Begins the kinds of the processes of the node that publishes."""
OTHER: Final = "other "
"""And of those of the others."""


class Running(NamedTuple):
    """Nodes that serve; the first is the one that publishes."""

    nodes: list[Node]
    processes: list[ServerProcess]

    @property
    def ports(self) -> list[int]:
        return [node.port for node in self.nodes]

    @property
    def others(self) -> int:
        return len(self.nodes) - 1


@contextmanager
def alone() -> Iterator[Running]:
    """One node that knows of no cluster."""
    node = Node(APP, shards=1, workers=1)
    try:
        start(node)
        node.wait_until_serving()
        yield Running([node], _of(node, "node", OWN))
    finally:
        node.stop()


@contextmanager
def together(number: int) -> Iterator[Running]:
    """So many nodes over NATS, each with one shard and one worker."""
    names = [f"node-{place}" for place in range(number)]
    with NatsServer() as engine, cluster(engine, *names, app=APP) as nodes:
        assert engine.process is not None
        processes = [ServerProcess("engine", "nats-server", engine.process.pid)]
        for place, (name, node) in enumerate(zip(names, nodes, strict=True)):
            side = OTHER if place else OWN
            processes += _of(node, name, side)
            processes.append(ServerProcess(f"{side}bridge", f"{name}'s bridge", bridge_pid(node)))
        yield Running(nodes, processes)


def _of(node: Node, name: str, side: str) -> list[ServerProcess]:
    status = node.status()
    return [
        *(ServerProcess(f"{side}shard", f"{name}'s shard", shard["pid"]) for shard in status["shards"]),
        *(ServerProcess(f"{side}worker", f"{name}'s worker", worker["pid"]) for worker in status["gateway"]["workers"]),
    ]
