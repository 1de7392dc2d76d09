"""The socket of the dashboard: who may connect, and what its channels work with."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from roost.gateway.admin.guard import wrong_host, wrong_token
from roost.gateway.replies import Error, Ok
from roost.gateway.socket import Socket

if TYPE_CHECKING:
    from roost.gateway.admin.dashboard.watch import Watch
    from roost.gateway.admin.own_node import OwnNode
    from roost.gateway.admin.topic_search import TopicSearch
    from roost.gateway.connect.connect_info import ConnectInfo
    from roost.gateway.endpoint import Endpoint

MAX_DASHBOARDS: Final = 16
"""Dashboards at a time; one more is answered 503."""


def no_room(endpoint: "Endpoint") -> str | None:
    """What is said to one more dashboard, if there is no room for it."""
    if len(endpoint.runtime.clients) < MAX_DASHBOARDS:
        return None
    return f"{MAX_DASHBOARDS} dashboards are open already: close one\n"


class Desk(NamedTuple):
    """What all dashboards share."""

    token: str
    node: "OwnNode"
    watch: "Watch"
    search: "TopicSearch"


class DashboardSocket(Socket):
    """One dashboard. Pages of other origins are refused before they come here."""

    desk: Desk

    async def connect(self, params: dict[str, Any], info: "ConnectInfo") -> Ok | Error:
        """Whoever asks for this machine by its name and shows the token as `authToken`, as long as there is room."""
        del params
        self.desk = info.custom["desk"]
        wrong = wrong_host(", ".join(info.headers.get_all("host"))) or wrong_token(
            "", info.auth_token or "", self.desk.token
        )
        if wrong is not None:
            return Error(wrong.sentence + "\n", int(wrong.status))
        full = no_room(self.endpoint)
        return Ok() if full is None else Error(full, HTTPStatus.SERVICE_UNAVAILABLE)
