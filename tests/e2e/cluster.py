"""Several nodes on one machine, each with its own run directory and port, over a real engine."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from roost.shared.cluster import AskCluster, ClusterStatus, NodeRow
from tests.e2e.node import ROOST, Node, children, wait_for
from tests.engines import EngineServer

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
            node.wait_until_serving()
        meet(*nodes)
        yield nodes
        list(pool.map(Node.stop_processes, nodes))


def start(node: Node) -> None:
    """Start both processes; `wait_until_serving` returns when clients can connect."""
    node.start_broker()
    node.gateway = node.spawn(ROOST, "gateway", node.app)


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
    return node.answer(AskCluster(), ClusterStatus)


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
    broker = node.broker.pid

    def bridges() -> list[int]:
        with suppress(FileNotFoundError):  # one of them has just ended
            lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(broker)}
            return [pid for pid, line in lines.items() if b"roost.broker.bridge.process" in line]
        return []

    wait_for(lambda: bool(bridges()), "there is a bridge", node.logged)
    return bridges()[0]
