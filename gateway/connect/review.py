"""What Phoenix looks at before an application is asked whether a client may connect, in Phoenix's order. Pure."""

from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import msgspec
from websockets.datastructures import Headers

from roost.gateway.connect.connect_info import ConnectInfo, PeerData, Uri
from roost.gateway.connect.mount import Mount
from roost.gateway.connect.origin import Origin, OriginPolicy
from roost.gateway.connect.query import BadQuery, decode_query
from roost.gateway.connect.subprotocols import choose_subprotocol, take_auth_token
from roost.gateway.replies import Error
from roost.gateway.transports.handshake import MAX_REMEMBERED, SHOWN_CHARS, Refused, choose_serializer, response
from roost.shared.serializer import Serializer


class Surroundings(NamedTuple):
    """What is known of a connection before it sends anything."""

    peer: PeerData
    secure: bool
    """Whether the client came by https."""
    address: str
    port: int
    """Where it arrived."""


class Requested(Protocol):
    """A request, however it was read."""

    @property
    def method(self) -> str:
        """Such as GET."""

    @property
    def headers(self) -> Headers:
        """All of them."""

    @property
    def path(self) -> str:
        """With its escapes."""

    @property
    def query(self) -> str:
        """What is behind the question mark, with its escapes."""


class Candidate(NamedTuple):
    """A client that the application may be asked about."""

    params: dict[str, Any]
    info: ConnectInfo
    serializer: Serializer | None
    """None for a raw socket."""
    subprotocol: str | None


def review(
    mount: Mount, path_params: dict[str, str], request: Requested, around: Surroundings, host: str | None
) -> Candidate:
    """The client, if nothing speaks against it; `host` is the endpoint's. Raises Refused."""
    if request.method != "GET":
        raise Refused(HTTPStatus.BAD_REQUEST)
    params = read_params(request, path_params)
    uri = read_uri(request, around)
    check_origin(mount.origin_policy, request, uri, host)
    auth_token = take_auth_token(request.headers) if mount.auth_token else None
    subprotocol = choose_subprotocol(request.headers, mount.subprotocols)
    info = ConnectInfo(
        around.peer,
        uri,
        request.headers,
        auth_token=auth_token,
        subprotocol=subprotocol,
        custom=mount.over_websocket.connect_info,
    )
    serializer = choose_serializer(params, mount.serializers) if mount.serializers else None
    return Candidate(params, info, serializer, subprotocol)


def refusal(error: Error) -> bytes:
    """The response of an application's `Error`: its status, and a body if it has a payload. Raises TypeError."""
    status: object = error.http_status
    payload = error.payload
    if not isinstance(status, int) or not 300 <= status <= 599:
        raise TypeError(f"http_status must be a status from 300 to 599, not {status!r}")
    if payload is None or payload == {}:
        return response(status)
    if isinstance(payload, str):
        return response(status, payload)
    if isinstance(payload, bytes):
        return response(status, payload, "application/octet-stream")
    return response(status, msgspec.json.encode(payload), "application/json")


def read_params(request: Requested, path_params: dict[str, str]) -> dict[str, Any]:
    """The parameters of the query and of the path. Raises Refused."""
    try:
        from_path = {name: unquote(text, errors="strict") for name, text in path_params.items()}
        return decode_query(request.query) | from_path
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, "the path is not valid UTF-8") from None
    except BadQuery as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None


def read_uri(request: Requested, around: Surroundings) -> Uri:
    """What the client asked for, by its own words as far as they can be read."""
    scheme = "https" if around.secure else "http"
    asked = _asked_for(scheme, next(iter(request.headers.get_all("host")), ""))
    host, port = asked or (around.address, around.port)
    return Uri(scheme, host, port, request.path, request.query)


@lru_cache(MAX_REMEMBERED)
def _asked_for(scheme: str, host: str) -> tuple[str, int] | None:
    """The host and port that a Host header names; None if it cannot be read."""
    asked = Origin.parse(f"{scheme}://{host}")
    return None if asked.host is None or asked.port is None else (asked.host, asked.port)


def check_origin(policy: OriginPolicy | None, request: Requested, uri: Uri, host: str | None) -> None:
    """Raises Refused for a page that may not connect; what names no page may."""
    sent = request.headers.get_all("origin")
    if not sent or policy is None:
        return
    here = Origin(str(uri), uri.scheme, uri.host, uri.port)
    if not policy(Origin.parse(sent[0]), here, host):
        raise Refused(
            HTTPStatus.FORBIDDEN,
            reason=f"a page of {sent[0][:SHOWN_CHARS]!r} may not connect to {request.path[:SHOWN_CHARS]!r}: "
            f"the host is {host!r} (ROOST_PUBLIC_HOST); other pages are let in by check_origin=[...]",
        )
