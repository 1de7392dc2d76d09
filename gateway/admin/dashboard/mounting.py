"""Mounts the dashboard's socket on the admin listener's endpoint."""

from typing import TYPE_CHECKING, Final

from roost.gateway.admin.dashboard.node_channel import NodeChannel
from roost.gateway.admin.dashboard.page import PATH
from roost.gateway.admin.dashboard.socket import DashboardSocket, Desk
from roost.gateway.admin.dashboard.sockets_channel import SocketsChannel
from roost.gateway.admin.dashboard.topics_channel import TopicsChannel
from roost.gateway.admin.dashboard.trace_channel import TraceChannel
from roost.gateway.admin.dashboard.watch import TOPIC, Watch
from roost.gateway.connect.mount import WebSocket

if TYPE_CHECKING:
    from roost.gateway.admin.own_node import OwnNode
    from roost.gateway.admin.topic_search import TopicSearch
    from roost.gateway.endpoint import Endpoint

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Of what a dashboard sends: a topic is the longest of it."""

DashboardSocket.route(TOPIC, NodeChannel)
DashboardSocket.route("topics", TopicsChannel)
DashboardSocket.route("sockets", SocketsChannel)
DashboardSocket.route("trace", TraceChannel)


def mount_dashboard(endpoint: "Endpoint", token: str, node: "OwnNode", search: "TopicSearch") -> None:
    """Serve dashboards to whoever shows the token."""
    desk = Desk(token, node, Watch(node, endpoint), search)
    websocket = WebSocket(connect_info={"desk": desk}, max_frame_size=MAX_MESSAGE_BYTES)
    endpoint.mount(f"{PATH}/socket", DashboardSocket, websocket=websocket, auth_token=True)
