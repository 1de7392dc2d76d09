"""Everything that the admin listener serves, put together."""

from collections.abc import Sequence

from roost.gateway.addresses import Address
from roost.gateway.admin.dashboard.mounting import mount_dashboard
from roost.gateway.admin.dashboard.page import open_paths, page_routes
from roost.gateway.admin.listener import AdminListener, admin_app
from roost.gateway.admin.own_node import OwnNode
from roost.gateway.endpoint import Endpoint


def admin_listener(token: str, node: OwnNode, addresses: Sequence[Address]) -> AdminListener:
    """The listener for the operators of a node. To be called in the loop that serves it."""
    endpoint = Endpoint(check_origin="conn")
    endpoint.app = admin_app(token, node.measure, node.why_not_ready, page_routes(endpoint), open_paths())
    mount_dashboard(endpoint, token, node)
    return AdminListener(endpoint, addresses)
