"""What is looked at before the application is asked, and what it may answer."""

import json
from http import HTTPStatus
from typing import Any

import pytest

from roost.gateway.connect.connect_info import PeerData
from roost.gateway.connect.mount import WebSocket
from roost.gateway.connect.review import Candidate, Surroundings, refusal, review
from roost.gateway.endpoint import Endpoint
from roost.gateway.replies import Error
from roost.gateway.socket import Socket
from roost.gateway.transports.handshake import Refused, RequestHead
from roost.shared.serializer import V2
from tests.gateway.transports.test_handshake import Answered, head

AROUND = Surroundings(PeerData("10.0.0.1", 5), secure=False, address="10.0.0.2", port=4000)


def look_at(
    query: str = "vsn=2.0.0",
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    around: Surroundings = AROUND,
    path_params: dict[str, str] | None = None,
    host: str | None = "example.com",
    **options: Any,
) -> Candidate:
    auth_token = options.pop("auth_token", False)
    mount = Endpoint().mount("/socket", Socket, websocket=WebSocket(**options), auth_token=auth_token)
    request = RequestHead(head(headers or {}, method=method, target=f"/socket/websocket?{query}"))
    return review(mount, path_params or {}, request, around, host)


def refused(*arguments: Any, **options: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        look_at(*arguments, **options)
    return caught.value


def test_what_the_application_is_told() -> None:
    found = look_at("vsn=2.0.0&a[b]=1&token=x", {"Host": "here.com:81"}, connect_info={"tenant": "acme"})
    assert found.params == {"vsn": "2.0.0", "a": {"b": "1"}, "token": "x"}
    assert found.serializer is V2
    assert found.info.peer_data == PeerData("10.0.0.1", 5)
    assert str(found.info.uri) == "http://here.com:81/socket/websocket?vsn=2.0.0&a[b]=1&token=x"
    assert found.info.custom == {"tenant": "acme"}


def test_values_of_the_path_win_and_have_their_escapes_resolved() -> None:
    assert look_at("vsn=2.0.0&id=1", path_params={"id": "a%20b%C3%A9"}).params["id"] == "a bé"
    assert refused(path_params={"id": "%ff"}).status == 400


@pytest.mark.parametrize(
    ("header", "host", "port"),
    [("a.com", "a.com", 80), ("[::1]:5", "::1", 5), ("", "10.0.0.2", 4000), ("a b:c", "10.0.0.2", 4000)],
)
def test_the_uri_is_what_the_client_asked_for_if_that_can_be_read(header: str, host: str, port: int) -> None:
    uri = look_at(headers={"Host": header}).info.uri
    assert (uri.host, uri.port) == (host, port)
    assert look_at().info.uri.host == "10.0.0.2"


def test_https() -> None:
    uri = look_at(headers={"Host": "a.com"}, around=AROUND._replace(secure=True)).info.uri
    assert (uri.scheme, uri.port) == ("https", 443)


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS"])
def test_only_get_opens_sockets(method: str) -> None:
    assert (refused(method=method).status, refused(method=method).reason) == (400, "")


def test_pages_of_other_hosts_are_refused_and_the_log_says_what_to_do() -> None:
    assert look_at(headers={"Origin": "http://example.com"})
    found = refused(headers={"Origin": "http://evil.com"})
    assert (found.status, found.body) == (403, "")
    assert "'http://evil.com'" in found.reason
    assert "ROOST_PUBLIC_HOST" in found.reason
    assert len(refused(headers={"Origin": "x" * 10_000}).reason) < 1000


def test_the_request_itself_says_where_it_is() -> None:
    headers = {"Origin": "http://here.com", "Host": "here.com"}
    assert look_at(headers=headers, check_origin="conn")
    assert refused(headers=headers | {"Host": "there.com"}, check_origin="conn").status == 403


def test_the_order_is_phoenixs() -> None:
    """Each request has one fault more than the next; the first one answers. SP-02 is among them."""
    faults = [
        ("a=%ff", {"Origin": "http://evil.com", "Sec-WebSocket-Protocol": "base64url.bearer.phx.!"}, 400, "UTF-8"),
        ("vsn=9", {"Origin": "http://evil.com", "Sec-WebSocket-Protocol": "base64url.bearer.phx.!"}, 403, ""),
        ("vsn=9", {"Sec-WebSocket-Protocol": "base64url.bearer.phx.!, sip"}, 400, "base64"),
        ("vsn=9", {"Sec-WebSocket-Protocol": "sip"}, 403, ""),
        ("vsn=9", {}, 403, ""),
    ]
    reasons = ["", "evil.com", "", "sub-protocols", "vsn"]
    for (query, headers, status, body), reason in zip(faults, reasons, strict=True):
        found = refused(query, headers, auth_token=True)
        assert found.status == status
        assert body in found.body
        assert bool(body) is bool(found.body)
        assert reason in found.reason
        assert bool(reason) is bool(found.reason)


def test_tokens_are_taken_only_where_the_mount_says_so() -> None:
    headers = {"Sec-WebSocket-Protocol": "phoenix, base64url.bearer.phx.YQ"}
    taken = look_at(headers=headers, auth_token=True)
    assert (taken.info.auth_token, taken.subprotocol) == ("a", "phoenix")
    assert taken.info.sec_websocket_headers == [("sec-websocket-protocol", "phoenix")]
    ignored = look_at(headers=headers)
    assert (ignored.info.auth_token, ignored.subprotocol) == (None, None)


@pytest.mark.parametrize(
    ("error", "status", "body", "kind"),
    [
        (Error(), 403, b"", None),
        (Error(None), 403, b"", None),
        (Error(http_status=429), 429, b"", None),
        (Error(http_status=HTTPStatus.SERVICE_UNAVAILABLE), 503, b"", None),
        (Error("later", http_status=503), 503, b"later", b"text/plain; charset=utf-8"),
        (Error(b"\0", http_status=418), 418, b"\0", b"application/octet-stream"),
        (Error({"reason": "no"}), 403, b'{"reason":"no"}', b"application/json"),
        (Error(["no"], http_status=499), 499, b'["no"]', b"application/json"),
    ],
)
def test_refusals_of_the_application(error: Error, status: int, body: bytes, kind: bytes | None) -> None:
    answered = Answered(refusal(error))
    assert (answered.status, answered.body, answered.complete, answered.stays) == (status, body, True, False)
    assert answered.headers.get(b"content-type") == kind


@pytest.mark.parametrize("error", [Error(http_status=200), Error(http_status=600), Error(object())])
def test_refusals_that_are_none(error: Error) -> None:
    with pytest.raises(TypeError):
        refusal(error)


def test_a_refusal_is_json_that_a_client_can_read() -> None:
    assert json.loads(Answered(refusal(Error({"reason": "é"}))).body) == {"reason": "é"}
