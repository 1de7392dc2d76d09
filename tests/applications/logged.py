"""An application whose sockets and channels say at which level they are logged, and whose code listens to telemetry."""

import json
import logging
import os
from pathlib import Path
from typing import Any

from roost import (
    Channel,
    ChannelHandledIn,
    ChannelJoined,
    ConnectInfo,
    Endpoint,
    EndpointInit,
    Error,
    LongPoll,
    Ok,
    ShardMapChanged,
    Socket,
    SocketConnected,
    SocketDrain,
    event,
)
from roost.gateway.telemetry import Telemetry


class LoggedSocket(Socket):
    log = logging.INFO

    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        if params.get("how") == "crash":
            raise RuntimeError("connect was asked to crash")
        return Error() if params.get("how") == "refused" else Ok()


class UnloggedSocket(Socket):
    log = None


class QuietSocket(Socket):
    """As sockets are, if nothing is said."""


class NarrowSocket(Socket):
    max_channels = 1


class LoggedChannel(Channel[LoggedSocket]):
    log_join = logging.INFO
    log_handle_in = logging.INFO

    async def join(self, params: Any) -> Ok | Error:
        match params:
            case {"how": "refused"}:
                return Error({"reason": "no"})
            case {"how": "crash"}:
                raise RuntimeError("join was asked to crash")
            case {"how": "garbage"}:
                return params  # type: ignore[no-any-return]
        return Ok()

    @event("new_msg")
    async def new_msg(self, payload: Any) -> Ok:
        return Ok()

    @event("fail")
    async def fail(self, payload: dict[str, Any]) -> Any:
        return payload


class QuietChannel(Channel[Socket]):
    @event("new_msg")
    async def new_msg(self, payload: Any) -> Ok:
        return Ok({"attached": sorted(kind.__name__ for kind in self.endpoint.telemetry.attached)})


LoggedSocket.route("room:*", LoggedChannel)
LoggedSocket.route("phoenix:*", LoggedChannel)
NarrowSocket.route("room:*", QuietChannel)
UnloggedSocket.route("room:*", QuietChannel)
QuietSocket.route("room:*", QuietChannel)

endpoint = Endpoint(
    sockets={"/socket": LoggedSocket, "/unlogged": UnloggedSocket, "/quiet": QuietSocket, "/narrow": NarrowSocket},
)
endpoint.mount("/polled", LoggedSocket, longpoll=LongPoll())
quiet = Endpoint(sockets={"/socket": QuietSocket})
"""Served at the default levels, it attaches nothing to what clients do; reading the clock would crash the channel."""


def _no_clock() -> float:
    raise AssertionError("nobody is attached, so no clock is read")


quiet.telemetry = Telemetry(_no_clock)

heard = Endpoint(sockets={"/socket": LoggedSocket})
"""Writes what its code hears to the file that TELEMETRY_FILE names, one JSON object a line."""


def _write(kind: str, **values: Any) -> None:
    with Path(os.environ["TELEMETRY_FILE"]).open("a") as file:
        file.write(json.dumps({"kind": kind, **values}) + "\n")


def _connected(event: SocketConnected) -> None:
    assert event.endpoint is heard
    assert event.connect_info.peer_data.address == "127.0.0.1"
    _write(
        "connected",
        duration=event.duration,
        result=event.result,
        transport=event.transport,
        vsn=event.vsn,
        serializer=event.serializer,
        params=event.params,
        socket=event.user_socket.__name__,
    )


def _joined(event: ChannelJoined) -> None:
    _write("joined", duration=event.duration, result=event.result, params=event.params, topic=event.channel.topic)


def _handled_in(event: ChannelHandledIn) -> None:
    params = event.params if not isinstance(event.params, bytes) else event.params.hex()
    _write("handled_in", duration=event.duration, event=event.event, ref=event.ref, params=params)


def _drained(event: SocketDrain) -> None:
    _write("drain", count=event.count, total=event.total, index=event.index, rounds=event.rounds)


def _init(event: EndpointInit) -> None:
    _write("init", system_time=event.system_time, worker=event.worker)


def _map_changed(event: ShardMapChanged) -> None:
    _write("map", worker=event.worker, epoch=event.epoch)


def _raises(event: ChannelHandledIn) -> None:
    raise RuntimeError("a handler was asked to raise")


heard.telemetry.attach(SocketConnected, _connected)
heard.telemetry.attach(ChannelJoined, _joined)
heard.telemetry.attach(ChannelHandledIn, _raises)
heard.telemetry.attach(ChannelHandledIn, _handled_in)
heard.telemetry.attach(SocketDrain, _drained)
heard.telemetry.attach(EndpointInit, _init)
heard.telemetry.attach(ShardMapChanged, _map_changed)
