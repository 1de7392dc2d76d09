"""The canary: a socket of the node's own in every worker, by which `roost verify` sees whether promises are kept.

It is mounted at a path that only the owner of the run directory can know. For everybody else there is nothing there:
whatever serves the application's unknown paths answers. A path is looked up by a keyed hash, so that the time it takes
says nothing of how much of a guess was right.
"""

from typing import Any, Final

from roost.gateway.channel import Channel
from roost.gateway.endpoint import Endpoint
from roost.gateway.events import event
from roost.gateway.replies import Ok
from roost.gateway.routes import Route
from roost.gateway.socket import Socket
from roost.shared.canary import NUMBERED, PUBLISH, TOPICS, canary_path
from roost.shared.serializer import Raw


def mount_canary(endpoint: Endpoint, token: str) -> None:
    """Serve the canary beside the sockets of an application."""
    endpoint.mount(canary_path(token), CanarySocket)


class CanaryChannel(Channel["CanarySocket"]):
    """Broadcasts what it is sent, by the way that the messages of every application take."""

    log_join = None
    log_handle_in = None

    async def join(self, params: Any) -> Ok:
        """The reply names the worker, so that it is known whose messages a dead one took along."""
        del params
        return Ok({"worker": self.worker})

    @event(PUBLISH)
    async def publish(self, payload: Raw) -> Ok:
        """The reply comes after the client's own copy of the broadcast."""
        await self.broadcast(NUMBERED, payload)
        return Ok()


class CanarySocket(Socket):
    """Joins the canary's topics and no other: applications neither see them nor can reach them."""

    log = None

    @classmethod
    def find(cls, topic: str) -> tuple[Route[type[Channel[Any]]], str] | None:
        subtopic = _ROUTE.match(topic)
        return None if subtopic is None else (_ROUTE, subtopic)


_ROUTE: Final[Route[type[Channel[Any]]]] = Route(f"{TOPICS}*", CanaryChannel)
