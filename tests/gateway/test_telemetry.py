"""Attaching to events, detaching, and what becomes of handlers that raise."""

import asyncio
import logging
from typing import Any, cast

import pytest

from roost.gateway.channel import Channel
from roost.gateway.clients.client import Client
from roost.gateway.endpoint import Endpoint
from roost.gateway.replies import Error
from roost.gateway.socket import Socket
from roost.gateway.telemetry import ChannelHandledIn, ChannelJoined, ClientTooSlow, EndpointInit, Event, Telemetry
from roost.shared.frames import CloseCode
from roost.shared.serializer import V2, Raw
from tests.gateway.lone_worker import lone_worker
from tests.gateway.transports.test_slow_clients import bounded, broadcast, closed_with
from tests.limits import LIMIT


def init(worker: int = 1) -> EndpointInit:
    return EndpointInit(system_time=0.0, endpoint=Endpoint(), worker=worker)


def test_handlers_are_called_in_the_order_in_which_they_were_attached() -> None:
    telemetry, heard = Telemetry(), list[Any]()
    telemetry.attach(EndpointInit, lambda event: heard.append(("first", event)))
    telemetry.attach(EndpointInit, lambda event: heard.append(("second", event)))
    telemetry.attach(ClientTooSlow, lambda event: heard.append(("never", event)))
    event = init()
    telemetry.emit(event)
    assert heard == [("first", event), ("second", event)]


def test_an_event_without_handlers_is_not_among_the_attached() -> None:
    telemetry, heard = Telemetry(), list[Any]()
    assert telemetry.attached == {}
    telemetry.attach(EndpointInit, heard.append)
    assert set(telemetry.attached) == {EndpointInit}
    telemetry.detach(EndpointInit, heard.append)
    assert telemetry.attached == {}
    telemetry.emit(init())
    assert heard == []
    telemetry.detach(EndpointInit, heard.append)


def test_a_handler_that_raises_is_detached_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    telemetry, heard = Telemetry(), list[Any]()

    def raises(_: Event) -> None:
        raise RuntimeError("asked to")

    telemetry.attach(EndpointInit, raises)
    telemetry.attach(EndpointInit, heard.append)
    for worker in (1, 2):
        telemetry.emit(init(worker))
    assert [event.worker for event in heard] == [1, 2]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "EndpointInit raised and is detached" in record.message


def test_a_handler_may_detach_itself() -> None:
    telemetry, heard = Telemetry(), list[Any]()

    def once(event: EndpointInit) -> None:
        heard.append(event)
        telemetry.detach(EndpointInit, once)

    telemetry.attach(EndpointInit, once)
    telemetry.emit(init())
    telemetry.emit(init())
    assert len(heard) == 1


async def awaits(_: Event) -> None: ...


@pytest.mark.parametrize(
    ("event", "handler", "sentence"),
    [
        (Event, print, "there are EndpointInit, SocketConnected"),
        ("phoenix.channel_joined", print, "is no event"),
        (ChannelJoined, awaits, "a plain function"),
        (ChannelJoined, 5, "a plain function"),
    ],
)
def test_what_cannot_be_attached_is_refused(event: Any, handler: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        Telemetry().attach(event, handler)


def test_the_same_handler_is_attached_once() -> None:
    telemetry = Telemetry()
    telemetry.attach(EndpointInit, print)
    with pytest.raises(ValueError, match="attached to EndpointInit already"):
        telemetry.attach(EndpointInit, print)


def test_params_are_read_when_they_are_asked_for_and_never_raise() -> None:
    def event(payload: Any) -> ChannelHandledIn:
        return ChannelHandledIn(duration=0.0, ref="1", event="e", payload=payload, channel=Channel())

    assert event(Raw(b'{"a":1}')).params == {"a": 1}
    assert event(b"\xff").params == b"\xff"
    assert event(Raw(b"{")).params is None
    assert event(Raw(b"[" * 100_000 + b"]" * 100_000)).params is None
    assert "hunter2" not in repr(event(b"hunter2"))


class Transport:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.descriptor = -1
        self.sent: list[Any] = []
        self._news = asyncio.Event()

    def send(self, frame: Any) -> None:
        self.sent.append(frame)
        self._news.set()

    async def sees(self) -> None:
        await asyncio.wait_for(self._news.wait(), LIMIT)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed here")


class RefusingChannel(Channel[Socket]):
    async def join(self, params: dict[str, Any]) -> Error:
        return Error(params)


class RefusingSocket(Socket):
    pass


RefusingSocket.route("*", RefusingChannel)


@pytest.mark.parametrize("attached", [True, False])
async def test_no_clock_is_read_while_nobody_is_attached(attached: bool) -> None:
    ticks: list[float] = []

    def clock() -> float:
        ticks.append(float(len(ticks)))
        return ticks[-1]

    endpoint, heard = Endpoint(), list[ChannelJoined]()
    endpoint.telemetry = Telemetry(clock)
    if attached:
        endpoint.telemetry.attach(ChannelJoined, heard.append)
    with lone_worker(endpoint) as runtime:
        socket = RefusingSocket()
        socket.number = 1
        transport = Transport()
        Client(runtime, socket, V2, cast("Any", transport)).receive(
            b'["1","1","room","phx_join",{"a":1}]', binary=False
        )
        await transport.sees()
    assert len(transport.sent) == 1
    assert len(ticks) == 2 * attached
    assert [(event.duration, event.result, event.params) for event in heard] == [(1.0, "error", {"a": 1})] * attached


async def test_a_client_that_is_disconnected_for_being_slow_is_told_once() -> None:
    heard: list[ClientTooSlow] = []
    async with bounded() as one:
        one.runtime.telemetry.attach(ClientTooSlow, heard.append)
        for first in range(0, 600, 30):
            broadcast(one, first, 30)
            await asyncio.sleep(0)
        assert closed_with(await one.browser.ends()) == CloseCode.TOO_SLOW
        await one.gone()
    (event,) = heard
    assert (event.socket.number, event.waiting > 0) == (1, True)


async def test_params_that_the_channel_does_not_take_are_a_refused_join() -> None:
    endpoint, heard = Endpoint(), list[ChannelJoined]()
    endpoint.telemetry.attach(ChannelJoined, heard.append)
    with lone_worker(endpoint) as runtime:
        socket = RefusingSocket()
        socket.number = 1
        transport = Transport()
        Client(runtime, socket, V2, cast("Any", transport)).receive(b'["1","1","room","phx_join",[1]]', binary=False)
        await transport.sees()
    assert [(event.result, event.params) for event in heard] == [("error", [1])]
