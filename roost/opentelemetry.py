"""OpenTelemetry spans of what clients do, made of the telemetry events: `pip install 'roost[opentelemetry]'`.

    instrument(endpoint)

A span has begun before it is made, for an event tells of what is over. While nobody calls `instrument`, nothing of
OpenTelemetry is loaded.
"""

import random
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from weakref import ReferenceType, ref

from roost.gateway.endpoint import Endpoint
from roost.gateway.telemetry import ChannelHandledIn, ChannelJoined, SocketConnected

try:
    from opentelemetry.context import Context
    from opentelemetry.trace import INVALID_SPAN_CONTEXT, Link, SpanContext, SpanKind, TracerProvider, get_tracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise ImportError("spans need OpenTelemetry: pip install 'roost[opentelemetry]'") from missing

ALL_UP_TO: Final = 100
"""Subscribers up to which every event of a topic has a span."""
_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()

Attributes = Mapping[str, str | int | float]


def instrument(
    endpoint: Endpoint, *, tracer_provider: TracerProvider | None = None, all_up_to: int = ALL_UP_TO
) -> None:
    """Have a span made for each connect, join and event of a client, by this provider or the global one.

    Of the events of a topic with `n` subscribers, more than `all_up_to`, one in `n / all_up_to` has a span, by chance:
    what a room costs grows with its members, and so does what they send. Raises ValueError, the second time too.
    """
    if all_up_to < 1:
        raise ValueError(f"all_up_to is a number of subscribers from 1 on, not {all_up_to}")
    attached = endpoint.telemetry.attached.get(SocketConnected, ())
    if any(isinstance(getattr(handler, "__self__", None), Spans) for handler in attached):
        raise ValueError("the endpoint is instrumented already: each event would have two spans")
    spans = Spans(tracer_provider, all_up_to)
    endpoint.telemetry.attach(SocketConnected, spans.connected)
    endpoint.telemetry.attach(ChannelJoined, spans.joined)
    endpoint.telemetry.attach(ChannelHandledIn, spans.handled_in)


def chance(fan_out: int, all_up_to: int) -> float:
    """How likely an event of a topic is to have a span."""
    return min(1.0, all_up_to / max(1, fan_out))


class Origin(NamedTuple):
    """Where what a connection does comes from."""

    gone: ReferenceType[Any] | None
    parent: Context
    """With the span that the client's request was part of, if its headers tell."""
    connect: SpanContext
    """The span of its connect."""


NOWHERE: Final = Origin(None, Context(), INVALID_SPAN_CONTEXT)
"""Of sockets that were connected before there were spans."""


class Spans:
    """Makes the spans of one endpoint."""

    def __init__(self, tracer_provider: TracerProvider | None, all_up_to: int) -> None:
        self._tracer = get_tracer("roost", tracer_provider=tracer_provider)
        self._all_up_to = all_up_to
        self._sockets: dict[int, Origin] = {}
        """By the socket's number, as long as there is the socket."""

    def connected(self, event: SocketConnected) -> None:
        """The parent is what the request's `traceparent` names."""
        info = event.connect_info
        parent = _TRACE_CONTEXT.extract(dict(info.trace_context_headers), Context())
        attributes = {
            "roost.socket": event.user_socket.__qualname__,
            "roost.transport": event.transport,
            "roost.vsn": event.vsn,
            "roost.result": event.result,
            "client.address": info.peer_data.address,
            "url.path": info.uri.path,
        }
        span = self._span(f"connect {event.user_socket.__name__}", event.duration, parent, attributes)
        if event.result == "ok":
            number = event.socket.number
            gone = ref(event.socket, lambda _: self._sockets.pop(number, None))
            self._sockets[number] = Origin(gone, parent, span)

    def joined(self, event: ChannelJoined) -> None:
        """Part of what the connection's request was part of; else a trace of its own."""
        self._of_channel("join", event, {"roost.result": event.result})

    def handled_in(self, event: ChannelHandledIn) -> None:
        """The same way; in a large topic by chance."""
        likely = chance(event.fan_out, self._all_up_to)
        if likely < 1 and random.random() >= likely:  # noqa: S311 - nothing secret hangs on it
            return
        attributes: dict[str, str | int | float] = {"roost.fan_out": event.fan_out, "roost.chance": likely}
        if isinstance(event.event, str):
            attributes["roost.event"] = event.event
        self._of_channel("handle_in", event, attributes)

    def _of_channel(self, what: str, event: ChannelJoined | ChannelHandledIn, attributes: Attributes) -> None:
        channel = event.channel
        kind = type(channel)
        origin = self._sockets.get(channel.socket.number, NOWHERE)
        named = {"roost.channel": kind.__qualname__, "roost.topic": channel.topic, **attributes}
        self._span(f"{what} {kind.__name__}", event.duration, origin.parent, named, origin.connect)

    def _span(
        self,
        name: str,
        duration: float,
        parent: Context,
        attributes: Attributes,
        connect: SpanContext = INVALID_SPAN_CONTEXT,
    ) -> SpanContext:
        """A span that is over. Names hold nothing that clients choose; attributes may."""
        ended = time.time_ns()
        span = self._tracer.start_span(
            name,
            parent,
            SpanKind.SERVER,
            dict(attributes),
            [Link(connect)] if connect.is_valid else None,
            start_time=ended - round(duration * 1e9),
        )
        span.end(ended)
        return span.get_span_context()
