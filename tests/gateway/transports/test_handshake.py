"""The opening handshake: a real client's request, every refusal of Phoenix's, and bytes that are no request."""

from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from roost.gateway.connect.query import BadQuery, decode_query
from roost.gateway.transports.handshake import (
    BadRequest,
    Judge,
    Refused,
    RequestHead,
    choose_serializer,
    response,
    target_path,
)
from roost.shared.serializer import V1, V2, Serializer

GOOD = {
    "Host": "localhost",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
"""The request of RFC 6455, section 1.3."""


def head(
    headers: dict[str, str], *, method: str = "GET", target: str = "/socket/websocket", version: str = "1.1"
) -> bytes:
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def refusal(request: bytes) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        Judge().accept(RequestHead(request))
    return refused.value.status, refused.value.body


HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Connection": st.sampled_from(["Upgrade", "keep-alive, Upgrade", "close"]),
        "Upgrade": st.sampled_from(["websocket", "WebSocket", "h2c"]),
        "Sec-WebSocket-Key": st.sampled_from(["dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAB==", "short", "é"]),
        "Sec-WebSocket-Version": st.sampled_from(["13", "8"]),
        "Sec-WebSocket-Extensions": st.sampled_from(["permessage-deflate", "x;;y"]),
        "Sec-WebSocket-Protocol": st.sampled_from(["phoenix", "a b"]),
    },
).map(lambda changed: GOOD | changed)


def verdict(judge: Judge, headers: dict[str, str]) -> bytes | tuple[int, str]:
    try:
        return judge.accept(RequestHead(head(headers)))
    except Refused as refused:
        return refused.status, refused.body


class TestAccepting:
    """What opens a connection."""

    def test_a_real_client_is_content(self) -> None:
        client = ClientProtocol(parse_uri("ws://localhost/socket/websocket?vsn=2.0.0"))
        client.send_request(client.connect())
        request = RequestHead(b"".join(client.data_to_send()))
        assert (request.method, request.path, request.query) == ("GET", "/socket/websocket", "vsn=2.0.0")
        client.receive_data(Judge().accept(request))
        assert client.state is OPEN
        assert client.handshake_exc is None

    def test_the_example_of_the_rfc(self) -> None:
        accepted = Judge().accept(RequestHead(head(GOOD)))
        assert accepted.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in accepted
        assert accepted.endswith(b"\r\n\r\n")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("Connection", "keep-alive, Upgrade"),
            ("Connection", "UPGRADE"),
            ("Connection", "upgrade , close"),
            ("Upgrade", "WebSocket"),
            ("Upgrade", "h2c, websocket"),
            ("Sec-WebSocket-Protocol", "phoenix"),
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
            ("Origin", "http://elsewhere.example"),
        ],
    )
    def test_what_may_differ(self, name: str, value: str) -> None:
        accepted = Judge().accept(RequestHead(head(GOOD | {name: value})))
        assert accepted.startswith(b"HTTP/1.1 101 ")
        assert b"sec-websocket-protocol" not in accepted.lower()
        assert b"sec-websocket-extensions" not in accepted.lower()

    def test_header_names_come_in_any_case(self) -> None:
        for change in (str.upper, str.lower):
            shouted = {change(name): value for name, value in GOOD.items()}
            assert Judge().accept(RequestHead(head(shouted))).startswith(b"HTTP/1.1 101 ")

    @given(st.lists(HEADERS, min_size=1, max_size=6))
    def test_what_a_judge_remembers_changes_no_verdict(self, requests: list[dict[str, str]]) -> None:
        judge = Judge()
        judge.accept(RequestHead(head(GOOD)))
        for headers in requests:
            assert verdict(judge, headers) == verdict(Judge(), headers)

    def test_two_keys_are_one_too_many_even_for_a_kind_that_passed(self) -> None:
        judge = Judge()
        judge.accept(RequestHead(head(GOOD)))
        request = head(GOOD).replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        with pytest.raises(Refused):
            judge.accept(RequestHead(request))

    def test_so_are_two_hosts(self) -> None:
        judge = Judge()
        judge.accept(RequestHead(head(GOOD)))
        request = head(GOOD).replace(b"\r\n\r\n", b"\r\nHost: elsewhere\r\n\r\n")
        with pytest.raises(Refused) as refused:
            judge.accept(RequestHead(request))
        assert refused.value.body == '\'host\' header must be there once, got ["localhost", "elsewhere"]'

    def test_one_judge_serves_many(self) -> None:
        judge = Judge()
        first = judge.accept(RequestHead(head(GOOD)))
        with pytest.raises(Refused):
            judge.accept(RequestHead(head({})))
        assert judge.accept(RequestHead(head(GOOD))) == first


class TestRefusing:
    """The first offending header is named, in Phoenix's words (section 2.1 of its behaviour)."""

    @pytest.mark.parametrize(
        ("without", "body"),
        [
            (["Connection"], "'connection' header must contain 'upgrade', got []"),
            (["Upgrade"], "'upgrade' header must contain 'websocket', got []"),
            (["Sec-WebSocket-Key"], "'sec-websocket-key' header is absent"),
            (["Sec-WebSocket-Version"], "'sec-websocket-version' header must equal '13', got []"),
            (["Sec-WebSocket-Version", "Upgrade"], "'upgrade' header must contain 'websocket', got []"),
            (["Host"], "'host' header is absent"),
            ([*GOOD], "'host' header is absent"),
        ],
    )
    def test_a_missing_header(self, without: list[str], body: str) -> None:
        assert refusal(head({name: value for name, value in GOOD.items() if name not in without})) == (400, body)

    @pytest.mark.parametrize(
        ("name", "value", "body"),
        [
            ("Connection", "keep-alive", "'connection' header must contain 'upgrade', got [\"keep-alive\"]"),
            ("Connection", "close, TE", "'connection' header must contain 'upgrade', got [\"close\", \"te\"]"),
            ("Upgrade", "h2c", "'upgrade' header must contain 'websocket', got [\"h2c\"]"),
            ("Sec-WebSocket-Version", "8", "'sec-websocket-version' header must equal '13', got [\"8\"]"),
        ],
    )
    def test_a_wrong_header(self, name: str, value: str, body: str) -> None:
        assert refusal(head(GOOD | {name: value})) == (400, body)

    @pytest.mark.parametrize("key", ["", "x", "dGhl", "not base64 at all!!"])
    def test_a_key_that_is_none(self, key: str) -> None:
        status, body = refusal(head(GOOD | {"Sec-WebSocket-Key": key}))
        assert status == 400
        assert "key" in body.lower()

    @pytest.mark.parametrize("version", ["1.0", "0.9"])
    def test_an_old_http(self, version: str) -> None:
        assert refusal(head(GOOD, version=version)) == (400, f"HTTP version {version} unsupported")


class TestVersions:
    """Which serializer serves which `vsn` (section 1.2)."""

    @pytest.mark.parametrize(
        ("params", "serializer"),
        [
            ({}, V1),
            ({"vsn": "1.0.0"}, V1),
            ({"vsn": "1.0.5"}, V1),
            ({"vsn": "2.0.0"}, V2),
            ({"vsn": "2.0.1"}, V2),
            ({"vsn": "2.0.10"}, V2),
            ({"vsn": "2.0.0+build"}, V2),
            ({"vsn": "2.0.1-rc.0"}, V2),
        ],
    )
    def test_versions_that_are_served(self, params: dict[str, str], serializer: Serializer) -> None:
        assert choose_serializer(params) is serializer

    @pytest.mark.parametrize(
        "version",
        [
            *("1.1.0", "2.1.0", "3.0.0", "0.0.0", "2.0", "2", "abc", "", "2.0.0-rc.1", "1.0.0-rc.1", "v2.0.0"),
            *(" 2.0.0", "2.0.0 ", "02.0.0", "2.00.0", "2.0.x", "2.0.-1", "2.0.0.0", "2.0.1-", "2.0.0+"),
            *("2.0.1-rc.01", "2.0.0\n", "2.0.\N{ARABIC-INDIC DIGIT ZERO}", {"a": "b"}, ["2.0.0"]),
        ],
    )
    def test_versions_that_are_not(self, version: Any) -> None:
        with pytest.raises(Refused) as refused:
            choose_serializer({"vsn": version})
        assert (refused.value.status, refused.value.body) == (403, "")
        assert repr(version) in refused.value.reason


class TestHeads:
    """Request lines and headers as they come."""

    @given(st.text(min_size=1), st.text())
    def test_paths_and_queries_come_apart(self, path: str, query: str) -> None:
        target = f"/{quote(path)}?{quote(query, safe='?=&')}"
        request = RequestHead(head(GOOD, target=target))
        assert f"{request.path}?{request.query}" == target
        assert target_path(head(GOOD, target=target)) == request.path == f"/{quote(path)}"

    @pytest.mark.parametrize("host", ["http://a", "HTTPS://a.com:81", "http://[::1]:5", "http://"])
    def test_a_target_may_name_the_host(self, host: str) -> None:
        whole = head(GOOD, target=f"{host}/socket/websocket?next=http://b/c")
        request = RequestHead(whole)
        assert target_path(whole) == request.path == "/socket/websocket"
        assert request.query == "next=http://b/c"

    @pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
    def test_methods(self, method: str) -> None:
        assert RequestHead(head(GOOD, method=method)).method == method

    @pytest.mark.parametrize(
        "data",
        [
            *(b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"FOO / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nA\r\n\r\n"),
            *(b"GET /a b HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01\r\n\r\n"),
        ],
    )
    def test_what_is_no_request(self, data: bytes) -> None:
        with pytest.raises(BadRequest):
            RequestHead(data)

    @pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n"])
    def test_a_line_without_three_parts_names_no_path(self, data: bytes) -> None:
        assert target_path(data) is None


def judge_anything(data: bytes) -> None:
    """All that is done with a head: nothing but BadRequest and Refused may come of it."""
    target_path(data)
    with suppress(BadRequest, BadQuery, Refused):
        request = RequestHead(data)
        choose_serializer(decode_query(request.query))
        accepted = Judge().accept(request)
        assert accepted.startswith(b"HTTP/1.1 101 ")
        assert accepted.count(b"\r\n\r\n") == 1


@given(st.binary())
def test_no_bytes_do_worse_than_a_refusal(data: bytes) -> None:
    judge_anything(data + b"\r\n\r\n")
    judge_anything(b"GET " + data + b" HTTP/1.1\r\n\r\n")
    judge_anything(b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n")


latin = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20)
values = st.sampled_from(
    ["Upgrade", "websocket", "13", "", ",", ", ,", "keep-alive, Upgrade", '"', GOOD["Sec-WebSocket-Key"]]
)


@given(st.lists(st.tuples(st.sampled_from([*GOOD, "Origin", "Sec-WebSocket-Protocol"]), values | latin)), st.booleans())
def test_no_headers_do_worse_than_a_refusal(more: list[tuple[str, str]], on_top: bool) -> None:
    lines = [f"{name}: {value}" for name, value in [*(GOOD.items() if on_top else ()), *more]]
    judge_anything("\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode("latin-1"))


@given(st.data())
def test_no_damaged_request_does_worse_than_a_refusal(data: st.DataObject) -> None:
    request = bytearray(head(GOOD, target="/socket/websocket?vsn=2.0.0&a=%c3%a9"))
    for _ in range(data.draw(st.integers(1, 3))):
        request[data.draw(st.integers(0, len(request) - 1))] = data.draw(st.integers(0, 255))
    judge_anything(bytes(request))


class Answered:
    """A response as a client parses it."""

    def __init__(self, data: bytes) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status: int = parser.get_status_code()
        self.stays: bool = parser.should_keep_alive()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@pytest.mark.parametrize("body", ["", "a sentence", "é"])
@pytest.mark.parametrize("status", [400, 403, 408, 431, 500])
def test_answers_are_whole_and_the_last(status: int, body: str) -> None:
    answered = Answered(response(HTTPStatus(status), body))
    assert (answered.status, answered.body.decode(), answered.complete, answered.stays) == (status, body, True, False)
    assert (b"content-type" in answered.headers) is bool(body)
