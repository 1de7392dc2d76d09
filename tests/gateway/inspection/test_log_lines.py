"""Log lines of sockets and channels: which are attached, at which level they are written, what they say."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.gateway.channel import Channel
from roost.gateway.endpoint import Endpoint
from roost.gateway.inspection.log_lines import LogLines, duration
from roost.gateway.inspection.parameter_filter import KeepParameters
from roost.gateway.socket import Socket
from roost.gateway.telemetry import ChannelHandledIn, ChannelJoined, SocketDrain
from roost.shared.logs import DETAILS, TextLines
from roost.shared.serializer import Raw, encode_json

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def at_info(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield


class LoudChannel(Channel[Socket]):
    log_join = logging.WARNING
    log_handle_in = logging.INFO


class SilentChannel(Channel[Socket]):
    log_join = None
    log_handle_in = None


def served(*channels: type[Channel[Any]]) -> Endpoint:
    """An endpoint with one socket that routes to these channels, its log lines attached."""

    class RoutedSocket(Socket):
        pass

    for channel in channels:
        RoutedSocket.route(f"{channel.__name__}:*", channel)
    endpoint = Endpoint(sockets={"/socket": RoutedSocket})
    LogLines(endpoint).attach()
    return endpoint


def on(kind: type[Channel[Any]], topic: str) -> Channel[Any]:
    channel = kind()
    channel.topic = topic
    return channel


def handled(kind: type[Channel[Any]], topic: str, name: Any, params: Any) -> ChannelHandledIn:
    payload = Raw(encode_json(params))
    return ChannelHandledIn(duration=0.000012, ref="1", event=name, payload=payload, channel=on(kind, topic))


def text(record: logging.LogRecord) -> str:
    return TextLines("worker 0").format(record)


def test_only_what_some_channel_wants_at_the_nodes_level_is_attached() -> None:
    assert set(served().telemetry.attached) == {SocketDrain}
    assert set(served(Channel, SilentChannel).telemetry.attached) == {SocketDrain}
    assert set(served(Channel, LoudChannel).telemetry.attached) == {SocketDrain, ChannelJoined, ChannelHandledIn}


def test_each_channel_is_logged_at_its_own_level(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = served(LoudChannel, SilentChannel, Channel)
    for kind in (LoudChannel, SilentChannel, Channel):
        channel = on(kind, "room:a")
        endpoint.telemetry.emit(ChannelJoined(duration=0.0012, result="ok", payload=Raw(b"{}"), channel=channel))
        endpoint.telemetry.emit(handled(kind, "room:a", "say", {"n": 1}))
    assert [(record.levelname, text(record)) for record in caplog.records] == [
        ("WARNING", "worker 0: WARNING: JOINED room:a in 1ms\n  Parameters: {}"),
        ("INFO", 'worker 0: INFO: HANDLED say INCOMING ON room:a (LoudChannel) in 12us\n  Parameters: {"n": 1}'),
    ]


@pytest.mark.parametrize("topic", ["phoenix", "phoenix:live_reload", "phoenixes"])
def test_topics_that_begin_with_phoenix_are_never_logged(caplog: pytest.LogCaptureFixture, topic: str) -> None:
    endpoint = served(LoudChannel)
    endpoint.telemetry.emit(handled(LoudChannel, topic, "say", {}))
    channel = on(LoudChannel, topic)
    endpoint.telemetry.emit(ChannelJoined(duration=0.1, result="error", payload=Raw(b"{}"), channel=channel))
    assert caplog.records == []


def test_the_endpoint_says_what_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    for masks, line in (
        (["pin"], '{"pin": "[FILTERED]", "password": "x"}'),
        (KeepParameters(["pin"]), '{"pin": 1, "password": "[FILTERED]"}'),
    ):
        endpoint = Endpoint(filter_parameters=masks)
        LogLines(endpoint).handled_in(handled(LoudChannel, "room:a", "say", {"pin": 1, "password": "x"}))
        assert getattr(caplog.records[-1], DETAILS)["Parameters"] == line


names = (
    st.text(max_size=20) | st.none() | st.integers() | st.dictionaries(st.just("token"), st.just(SECRET), min_size=1)
)


@given(topic=st.text(max_size=20), name=names, beside=st.text(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_client_can_neither_begin_a_line_nor_have_a_secret_told(
    caplog: pytest.LogCaptureFixture, topic: str, name: Any, beside: str
) -> None:
    caplog.clear()
    topic = f"room:{topic}"
    LogLines(Endpoint()).handled_in(
        handled(LoudChannel, topic.encode(errors="replace").decode(), name, {"token": SECRET, "b": beside[:0]})
    )
    (record,) = caplog.records
    assert text(record).count("\n") == 1
    assert SECRET not in repr(record.__dict__["fields"])
    assert SECRET not in text(record)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0us"), (0.0000019, "1us"), (0.001, "1000us"), (0.0010011, "1ms"), (0.0129, "12ms"), (61.5, "61500ms")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize("level", ["info", True, False, 1.5])
def test_levels_are_those_of_logging(level: Any) -> None:
    with pytest.raises(TypeError, match=r"Wrong\.log_join is a level of logging"):
        type("Wrong", (Channel,), {"log_join": level})
    with pytest.raises(TypeError, match=r"Wrong\.log is a level of logging"):
        type("Wrong", (Socket,), {"log": level})
