"""A long-poll request, and what Phoenix looks at before it is served. Pure."""

from typing import Any, NamedTuple

from websockets.datastructures import Headers

from roost.gateway.connect.connect_info import ConnectInfo, PeerData
from roost.gateway.connect.mount import LongPoll, Mount
from roost.gateway.connect.review import Candidate, Surroundings, check_origin, read_uri
from roost.gateway.transports.handshake import choose_serializer


class LongPollRequest(NamedTuple):
    """What ASGI says of a request up to its body."""

    method: str
    path: str
    query: str
    headers: Headers
    around: Surroundings

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next(iter(self.headers.get_all(name)), None)


def read_request(scope: Any) -> LongPollRequest:
    """Read an ASGI scope of type `http`. ASGI does not pass on the certificate of a client."""
    address, port = scope["client"] or ("", 0)
    here, at = scope["server"] or ("", 0)
    headers = Headers()
    for name, value in scope["headers"]:
        headers[name.decode("latin-1")] = value.decode("latin-1")
    return LongPollRequest(
        scope["method"],
        raw_path(scope),
        scope["query_string"].decode("latin-1"),
        headers,
        Surroundings(PeerData(address, port), scope["scheme"] == "https", here, at or 0),
    )


def raw_path(scope: Any) -> str:
    """The path of a request with its escapes."""
    path: bytes = scope["raw_path"]
    return path.partition(b"?")[0].decode("latin-1")


def check_page(mount: Mount, request: LongPollRequest, host: str | None) -> None:
    """Raises Refused for a page that may not poll; this comes before everything else."""
    check_origin(mount.longpoll_origin_policy, request, read_uri(request, request.around), host)


def review_poll(mount: Mount, options: LongPoll, params: dict[str, Any], request: LongPollRequest) -> Candidate:
    """The client that a first poll announces. Raises Refused."""
    info = ConnectInfo(
        request.around.peer,
        read_uri(request, request.around),
        request.headers,
        transport="longpoll",
        auth_token=request.header("x-phoenix-authtoken") if mount.auth_token else None,
        custom=options.connect_info,
    )
    served = mount.longpoll_serializers
    return Candidate(params, info, choose_serializer(params, served) if served else None, None)


def presented_token(request: LongPollRequest, params: dict[str, Any]) -> Any:
    """The token of a session, as the client gives it: the header counts more than the parameter (1.8.10)."""
    token = request.header("x-phoenix-longpoll-token")
    return params.get("token") if token is None else token
