"""Looks at what an endpoint's channels are annotated with, before it is served."""

from typing import TYPE_CHECKING

from roost.gateway.payloads import Argument
from roost.gateway.socket import Socket

if TYPE_CHECKING:
    from roost.gateway.endpoint import Endpoint


def check_annotations(endpoint: "Endpoint") -> None:
    """Raises TypeError, with the line, for a payload of a type that no client's message can become."""
    for mount in endpoint.mounts:
        for route in mount.socket.routes if issubclass(mount.socket, Socket) else ():
            Argument(route.channel.join).check()
            for method in route.channel.event_methods().values():
                method.argument.check()
