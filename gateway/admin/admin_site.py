"""Everything that the admin listener serves, put together."""

import hmac
from collections.abc import Awaitable, Callable, Sequence

from roost.gateway.admin.api.access import EVERYTHING, SALT, May, rights_of
from roost.gateway.admin.api.routes import api_routes
from roost.gateway.admin.dashboard.mounting import mount_dashboard
from roost.gateway.admin.dashboard.page import open_paths, page_routes
from roost.gateway.admin.listener import AdminListener, admin_app
from roost.gateway.admin.own_node import OwnNode
from roost.gateway.admin.topic_search import TopicSearch
from roost.gateway.endpoint import Endpoint
from roost.gateway.processes.addresses import Address
from roost.gateway.replies import Ok
from roost.gateway.token import Token
from roost.shared.acting import Broadcasted, BroadcastEvents


def admin_listener(
    token: str,
    secrets: Sequence[str],
    node: OwnNode,
    publish: Callable[[BroadcastEvents], Awaitable[Broadcasted]],
    addresses: Sequence[Address],
) -> AdminListener:
    """The listener for the operators of a node. To be called in the loop that serves it.

    `token` is good for everything, those that are signed with the node's `secrets` for what stands in them.
    """

    def rights(given: str) -> frozenset[May] | None:
        if hmac.compare_digest(given.encode(), token.encode()):
            return EVERYTHING
        verdict = Token.verify(secrets, SALT, given)
        return rights_of(verdict.payload) if isinstance(verdict, Ok) else None

    endpoint = Endpoint(check_origin="conn")
    search = TopicSearch(node)
    routes = [*page_routes(endpoint), *api_routes(node, search, publish, rights)]
    endpoint.app = admin_app(token, node.measure, node.why_not_ready, routes, open_paths())
    mount_dashboard(endpoint, token, node, search)
    return AdminListener(endpoint, addresses)
