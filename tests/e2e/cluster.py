"""Several nodes on one machine, each with its own run directory and port, over a real engine."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from roost.node import ask_node
from roost.shared.cluster import AskCluster, ClusterStatus, NodeRow
from roost.shared.control import AskStatus, Message, NodeStatus
from roost.shared.failures import CannotStart
from tests.e2e.node import ROOST, Node, children, wait_for
from tests.engines import EngineServer

T = TypeVar("T")
PLAYGROUND = "examples.playground:endpoint"


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
            start(node)
        for node in nodes:
            wait_for(lambda node=node: serves(node), "the node serves", node.logged)  # type: ignore[misc]
        meet(*nodes)
        yield nodes
        list(pool.map(Node.stop_processes, nodes))


def start(node: Node) -> None:
    """Start both processes; `serves` tells when clients can connect."""
    node.start_broker()
    node.gateway = node.spawn(ROOST, "gateway", node.app)


def ask(node: Node, question: Message, answer: type[T]) -> T | None:
    """What the node's broker answers; None while it does not. It is a thread that asks, for tests with a loop."""
    with ThreadPoolExecutor() as pool:
        try:
            return pool.submit(ask_node, str(node.run_dir), question, answer).result()
        except CannotStart:
            return None


def serves(node: Node) -> bool:
    """Whether all workers serve."""
    status = ask(node, AskStatus(), NodeStatus)
    workers = status.gateway.workers if status is not None and status.gateway is not None else ()
    return len(workers) == int(node.environment["ROOST_WORKERS"]) and all(worker.serving for worker in workers)


def name_of(node: Node) -> str:
    return node.environment["ROOST_NODE"]


def meet(*nodes: Node) -> None:
    """Wait until each of them sees all the others."""
    for node in nodes:
        for other in nodes:
            if other is not node:
                await_row(node, name_of(other), lambda row: row.up)


def cluster_status(node: Node) -> ClusterStatus | None:
    """What its bridge knows, None while there is none."""
    return ask(node, AskCluster(), ClusterStatus)


def await_status(node: Node, says: Callable[[ClusterStatus], bool]) -> ClusterStatus:
    """Wait until the bridge says so."""
    status: ClusterStatus | None = None

    def said() -> bool:
        nonlocal status
        status = cluster_status(node)
        return status is not None and says(status)

    wait_for(said, f"the bridge of {name_of(node)} says so", lambda: f"{status}\n{node.logged()}")
    assert status is not None
    return status


def await_row(node: Node, other: str, says: Callable[[NodeRow], bool]) -> NodeRow:
    """Wait until a node knows that of another one."""
    status = await_status(node, lambda status: any(row.node == other and says(row) for row in status.nodes))
    return next(row for row in status.nodes if row.node == other)


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
