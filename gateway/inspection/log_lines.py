"""The log lines of sockets and channels, in Phoenix's words: handlers of telemetry events, attached where wanted.

A line is wanted if the node logs at the level that its socket or channel class names; None names none. So at the
default levels nothing is attached, and a message costs what it costs without log lines.
"""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from roost.gateway.inspection.parameter_filter import printable, shown
from roost.gateway.telemetry import ChannelHandledIn, ChannelJoined, SocketConnected, SocketDrain
from roost.shared.logs import DETAILS, FIELDS

if TYPE_CHECKING:
    from roost.gateway.endpoint import Endpoint

Level = int | None
"""A level of `logging`, such as `logging.DEBUG`; None for never."""

UNLOGGED: Final = "phoenix"
"""Joins and events of topics that begin so are never logged, as in Phoenix."""

_sockets = logging.getLogger("roost.socket")
_channels = logging.getLogger("roost.channel")


def check_level(owner: str, name: str, level: Any) -> None:
    """Raises TypeError if a class names what is no level."""
    if level is not None and (not isinstance(level, int) or isinstance(level, bool)):
        raise TypeError(f"{owner}.{name} is a level of logging, such as logging.INFO, or None for never, not {level!r}")


class LogLines:
    """Writes one endpoint's events to the log."""

    def __init__(self, endpoint: "Endpoint") -> None:
        self._endpoint = endpoint

    def attach(self) -> None:
        """Attach to the events of which some socket or channel wants a line at the node's level."""
        telemetry = self._endpoint.telemetry
        sockets = {mount.socket for mount in self._endpoint.mounts}
        channels = {route.channel for socket in sockets for route in socket.routes}
        if _wanted(_sockets, (socket.log for socket in sockets)):
            telemetry.attach(SocketConnected, self.connected)
        if _wanted(_channels, (channel.log_join for channel in channels)):
            telemetry.attach(ChannelJoined, self.joined)
        if _wanted(_channels, (channel.log_handle_in for channel in channels)):
            telemetry.attach(ChannelHandledIn, self.handled_in)
        if _wanted(_sockets, (logging.INFO,)):
            telemetry.attach(SocketDrain, self.drained)

    def connected(self, event: SocketConnected) -> None:
        """Whom a socket let in or refused."""
        level = event.user_socket.log
        if not _wanted(_sockets, (level,)):
            return
        name = event.user_socket.__name__
        verb = "CONNECTED TO" if event.result == "ok" else "REFUSED CONNECTION TO"
        details = {
            "Transport": event.transport,
            "Serializer": event.serializer,
            "Parameters": self._parameters(event.params),
        }
        fields = {"socket": name, "result": event.result, "duration": event.duration}
        _write(_sockets, level, f"{verb} {name} in {duration(event.duration)}", details, fields)

    def joined(self, event: ChannelJoined) -> None:
        """Whom a channel let in or refused."""
        level, topic = event.channel.log_join, event.channel.topic
        if not _wanted(_channels, (level,)) or topic.startswith(UNLOGGED):
            return
        verb = "JOINED" if event.result == "ok" else "REFUSED JOIN"
        details = {"Parameters": self._parameters(event.params)}
        fields = {
            "topic": topic,
            "channel": type(event.channel).__name__,
            "result": event.result,
            "duration": event.duration,
        }
        _write(_channels, level, f"{verb} {printable(topic)} in {duration(event.duration)}", details, fields)

    def handled_in(self, event: ChannelHandledIn) -> None:
        """What a client sent."""
        level, topic = event.channel.log_handle_in, event.channel.topic
        if not _wanted(_channels, (level,)) or topic.startswith(UNLOGGED):
            return
        channel = type(event.channel).__name__
        name = event.event if isinstance(event.event, str) else shown(self._endpoint.filter_parameters(event.event))
        text = f"HANDLED {printable(name)} INCOMING ON {printable(topic)} ({channel}) in {duration(event.duration)}"
        details = {"Parameters": self._parameters(event.params)}
        fields = {"topic": topic, "channel": channel, "event": name, "duration": event.duration}
        _write(_channels, level, text, details, fields)

    def drained(self, event: SocketDrain) -> None:
        """How far a worker that leaves has come."""
        text = (
            f"DRAINING {event.count} of {event.total} total connection(s) every {event.interval * 1000:.0f}ms"
            f" - round {event.index} of {event.rounds}"
        )
        _write(_sockets, logging.INFO, text, {}, {"count": event.count, "total": event.total})

    def _parameters(self, params: Any) -> str:
        return shown(self._endpoint.filter_parameters(params))


def duration(seconds: float) -> str:
    """Whole milliseconds above 1,000 microseconds, whole microseconds up to there (Phoenix's `Phoenix.Logger`)."""
    microseconds = int(seconds * 1_000_000)
    return f"{microseconds // 1000}ms" if microseconds > 1000 else f"{microseconds}us"


def _wanted(log: logging.Logger, levels: Iterable[Level]) -> bool:
    return any(level is not None and log.isEnabledFor(level) for level in levels)


def _write(log: logging.Logger, level: Level, text: str, details: dict[str, str], fields: dict[str, Any]) -> None:
    assert level is not None
    log.log(level, "%s", text, extra={DETAILS: details, FIELDS: fields})
