"""Options of mounts: complete ones are taken, bad ones refused when they are given."""

from typing import Any

import pytest

from roost.gateway.connect.mount import LongPoll, WebSocket
from roost.gateway.connect.origin import Origin
from roost.gateway.endpoint import Endpoint
from roost.gateway.raw_socket import RawSocket
from roost.gateway.socket import Socket
from roost.shared.serializer import V1


@pytest.mark.parametrize("path", ["", "/", "socket", "/socket/", "/a//b", "/a:b", "/:", "/:1", "/*", "/a/:b*"])
def test_paths_that_nothing_can_be_mounted_at(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|slashes"):
        Endpoint().mount(path, Socket)
    with pytest.raises(ValueError, match=r"path|slashes"):
        WebSocket(path=path)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeout": 0}, "timeout must be"),
        ({"max_frame_size": 125}, "max_frame_size must be"),
        ({"max_outbound_bytes": 0}, "max_outbound_bytes must be"),
        ({"subprotocols": ["a b"]}, "no name of a sub-protocol"),
        ({"subprotocols": ["a\r\nb"]}, "no name of a sub-protocol"),
        ({"check_origin": ["example.com"]}, "is no origin"),
    ],
)
def test_options_that_do_not_go(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WebSocket(**options)


@pytest.mark.parametrize("name", ["window", "pubsub_timeout", "max_age", "max_outbound_bytes"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_limits_of_long_poll_are_more_than_nothing(name: str, seconds: float) -> None:
    if name != "max_outbound_bytes" or seconds == seconds:
        with pytest.raises(ValueError, match=f"{name} must be more than 0"):
            LongPoll(**{name: seconds})  # type: ignore[arg-type]


def test_long_poll_is_off_unless_it_is_asked_for() -> None:
    assert Endpoint().mount("/socket", Socket).longpoll is None


def test_a_transport_is_served_or_not_or_with_options_of_its_own() -> None:
    endpoint = Endpoint()
    assert endpoint.mount("/a", Socket, longpoll=True).longpoll == LongPoll()
    polled = endpoint.mount("/b", Socket, websocket=False, longpoll=LongPoll(window=1.0))
    assert (polled.websocket, polled.longpoll, polled.subprotocols) == (None, LongPoll(window=1.0), None)
    with pytest.raises(ValueError, match=r"/c: .* not over neither"):
        endpoint.mount("/c", Socket, websocket=False)


def test_each_transport_has_serializers_of_its_own() -> None:
    options = WebSocket(serializers=[(V1, "~> 1.0.0")])
    mount = Endpoint().mount("/socket", Socket, websocket=options, longpoll=LongPoll(serializers=[(V1, "~> 3.0")]))
    assert [requirement.text for _, requirement in mount.serializers] == ["~> 1.0.0"]
    assert [requirement.text for _, requirement in mount.longpoll_serializers] == ["~> 3.0"]
    raw = Endpoint().mount("/raw", RawSocket, longpoll=True)
    assert (raw.serializers, raw.longpoll_serializers) == ((), ())


def test_two_transports_have_two_paths() -> None:
    with pytest.raises(ValueError, match="cannot both be at"):
        Endpoint().mount("/socket", Socket, longpoll=LongPoll(path="/websocket"))


def test_each_transport_has_a_policy_of_origins() -> None:
    mount = Endpoint().mount("/socket", Socket, longpoll=LongPoll(check_origin=False))
    assert mount.origin_policy is not None
    assert mount.longpoll_origin_policy is None
    with pytest.raises(ValueError, match="one of check_origin and check_csrf"):
        Endpoint().mount("/socket", Socket, longpoll=LongPoll(check_origin=False, check_csrf=False))


def test_ep_08_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="unknown"):
        WebSocket(unknown=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unknown"):
        LongPoll(unknown=True)  # type: ignore[call-arg]


def test_ep_09_and_10_origin_and_csrf_are_not_both_off() -> None:
    with pytest.raises(ValueError, match="one of check_origin and check_csrf must stay on"):
        Endpoint().mount("/socket", Socket, websocket=WebSocket(check_origin=False, check_csrf=False))
    with pytest.raises(ValueError, match="one of check_origin and check_csrf must stay on"):
        Endpoint(check_origin=False).mount("/socket", Socket, websocket=WebSocket(check_csrf=False))
    Endpoint().mount("/socket", Socket, websocket=WebSocket(check_csrf=False))
    Endpoint(check_origin=False).mount("/socket", Socket)
    Endpoint().mount("/socket", Socket, websocket=WebSocket(check_origin=lambda _: True, check_csrf=False))


def test_or_03_and_15_each_mount_has_the_origins_of_its_own_options() -> None:
    endpoint = Endpoint(check_origin=["//endpoint.com"])
    first = endpoint.mount("/first", Socket)
    second = endpoint.mount("/second", Socket, websocket=WebSocket(check_origin=["//second.com"]))
    third = endpoint.mount("/third", Socket, websocket=WebSocket(check_origin=False))
    here = Origin.parse("http://localhost")
    origins = [Origin.parse(f"http://{name}.com") for name in ("endpoint", "second")]
    assert first.origin_policy is not None
    assert second.origin_policy is not None
    assert [first.origin_policy(origin, here, None) for origin in origins] == [True, False]
    assert [second.origin_policy(origin, here, None) for origin in origins] == [False, True]
    assert third.origin_policy is None


def test_phoenix_is_served_where_tokens_are_taken() -> None:
    endpoint = Endpoint()
    sip = WebSocket(subprotocols=["sip"])
    assert endpoint.mount("/a", Socket).subprotocols is None
    assert endpoint.mount("/b", Socket, auth_token=True).subprotocols == ("phoenix",)
    assert endpoint.mount("/c", Socket, auth_token=True, websocket=sip).subprotocols == ("phoenix", "sip")
    assert endpoint.mount("/d", Socket, websocket=sip).subprotocols == ["sip"]
