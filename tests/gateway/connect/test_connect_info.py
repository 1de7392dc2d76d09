"""What a socket's `connect` is told of the request."""

from websockets.datastructures import Headers

from roost.gateway.connect.connect_info import ConnectInfo, PeerData, Uri

URI = Uri("http", "localhost", 4000, "/socket/websocket", "vsn=2.0.0")


def info(*headers: tuple[str, str]) -> ConnectInfo:
    return ConnectInfo(PeerData("127.0.0.1", 1), URI, Headers(headers))


def test_headers_by_kind() -> None:
    told = info(
        ("X-One", "1"),
        ("Sec-WebSocket-Protocol", "phoenix"),
        ("TraceParent", "00-a"),
        ("x-one", "2"),
        ("tracestate", "b"),
        ("trace-id", "no"),
        ("User-Agent", "tests"),
        ("X", "no"),
    )
    assert told.x_headers == [("x-one", "1"), ("x-one", "2")]
    assert told.trace_context_headers == [("traceparent", "00-a"), ("tracestate", "b")]
    assert told.sec_websocket_headers == [("sec-websocket-protocol", "phoenix")]
    assert told.user_agent == "tests"


def test_what_is_absent_is_none_or_empty() -> None:
    told = info()
    assert told.user_agent is None
    assert told.auth_token is None
    assert told.session is None
    assert told.x_headers == told.trace_context_headers == told.sec_websocket_headers == []
    assert told.cookies == told.custom == {}


def test_cookies() -> None:
    told = info(("Cookie", 'a=1; b="x y"; c; =d; a=2'), ("cookie", "e=f=g"))
    assert told.cookies == {"a": "1", "b": '"x y"', "": "d", "e": "f=g"}


def test_a_uri_as_text() -> None:
    assert str(URI) == "http://localhost:4000/socket/websocket?vsn=2.0.0"
    assert str(Uri("https", "::1", 443, "/a", "")) == "https://[::1]:443/a"
