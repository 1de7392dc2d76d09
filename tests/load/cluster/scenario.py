"""Nodes in a cluster and one of the same alone: paced, as fast as it goes, and with interest that changes."""

from dataclasses import asdict, dataclass
from typing import Any

from tests.e2e.cluster import cluster_status
from tests.load.cluster.audience import Audience, Pace
from tests.load.cluster.churn import churn
from tests.load.cluster.figures import add_churn, add_heard, add_most
from tests.load.cluster.nodes import Running, alone, together
from tests.load.display import Display
from tests.load.orders import LoadTestFailed
from tests.load.result import Report, Result


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    nodes: int = 3
    clients: int = 10
    """On each node, while it is paced."""
    rate: float = 200.0
    rooms: int = 100
    """Of many small ones, into which messages go in turn."""
    window: int = 1000
    """Messages under way when it goes as fast as it can."""
    payload: int = 64
    seconds: float = 4.0
    topics: int = 10_000
    visitors: int = 8
    """Clients that join and leave them."""


def measure(display: Display, size: Size) -> list[Report]:
    """All of it; a report is of the cluster first, then of the node alone."""
    with together(size.nodes) as running:
        results = _driven(display, running, size)
        interest = _churned(display, running, size)
    with alone() as running:
        beside = _driven(display, running, size)
    kinds = {
        "paced": ("nodes", "clients", "rate", "payload"),
        "as fast as it goes, one room": ("nodes", "window", "payload"),
        "as fast as it goes, many rooms": ("nodes", "rooms", "window", "payload"),
    }
    reports = [
        Report(title, _settings(size, *names), [here, lone])
        for (title, names), here, lone in zip(kinds.items(), results, beside, strict=True)
    ]
    return [*reports, Report("interest", _settings(size, "nodes", "topics", "visitors"), [interest])]


def _driven(display: Display, running: Running, size: Size) -> list[Result]:
    """A result of each of the three ways."""
    fast = Pace(size.seconds, window=size.window)
    return [
        _drive(display, running, size, Pace(size.seconds, rate=size.rate), size.clients, 1),
        _drive(display, running, size, fast, 1, 1),
        _drive(display, running, size, fast, 1, size.rooms),
    ]


def _drive(display: Display, running: Running, size: Size, pace: Pace, clients: int, rooms: int) -> Result:
    result = Result("cluster" if running.others else "alone")
    title = f"{result.server}, {'paced' if pace.rate else 'as fast as it goes'}, {rooms} rooms"
    lost = _lost_between(running)
    with (
        display.phase(title, pace.seconds) as show,
        Audience(running.ports, clients, rooms, size.payload) as audience,
    ):
        heard = audience.drive(pace, running.processes, show)
    add_heard(result, heard, running.others)
    if not pace.rate:
        add_most(result, heard)
    if heard.lost or heard.duplicated:
        result.faults.append(f"{heard.lost} messages were lost, {heard.duplicated} came twice or out of order")
    if (more := _lost_between(running) - lost) > 0:
        result.faults.append(f"the nodes say that {more} publishes were lost between them")
    return result


def _churned(display: Display, running: Running, size: Size) -> Result:
    result = Result("cluster")
    with display.phase("interest", size.topics) as show:
        churned = churn(running.ports[0], size.topics, size.visitors, running.processes, show)
    status = cluster_status(running.nodes[0])
    add_churn(result, churned, status.buckets if status else 0)
    return result


def _lost_between(running: Running) -> int:
    """What the nodes have counted as lost so far. Raises LoadTestFailed if one does not say."""
    lost = 0
    for node in running.nodes if running.others else ():
        status = cluster_status(node)
        if status is None:
            raise LoadTestFailed("a node does not say what was lost")
        lost += sum(row.lost for row in status.nodes)
    return lost


def _settings(size: Size, *names: str) -> dict[str, Any]:
    return {name: value for name, value in asdict(size).items() if name in names}
