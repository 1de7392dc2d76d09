"""What a worker does when it is told of the other nodes. No decisions here."""

from typing import TYPE_CHECKING

from roost.gateway import telemetry
from roost.gateway.bus.cluster_uplink import ClusterUplink
from roost.shared.cluster import ClusterNews, Listening, MessagesLost, NodeDown, NodeUp

if TYPE_CHECKING:
    from roost.gateway.clients.runtime import Runtime


def hear_of_cluster(runtime: "Runtime", news: Listening | ClusterNews) -> None:
    """The bridge has told something; code that is attached to events hears of it too."""
    match news:
        case Listening():
            runtime.nodes.are(news.nodes)
            if isinstance(runtime.uplink, ClusterUplink):
                runtime.uplink.listens(news)
        case NodeUp(node, node_id):
            runtime.nodes.up(node, node_id)
            for presence in runtime.presences:
                presence.node_up(node_id)
            runtime.telemetry.emit(telemetry.NodeUp(node=node))
        case NodeDown(node, node_id):
            runtime.nodes.down(node, node_id)
            runtime.calls.node_down(node)
            for presence in runtime.presences:
                presence.node_down(node_id)
            runtime.telemetry.emit(telemetry.NodeDown(node=node))
        case MessagesLost(node, lost):
            runtime.telemetry.emit(telemetry.MessagesLost(node=node, lost=lost))
