"""An application with spans, which tells them to whoever asks."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from roost import Channel, ConnectInfo, Endpoint, Error, Ok, Raw, Socket, event
from roost.opentelemetry import instrument

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))


class UserSocket(Socket):
    async def connect(self, params: dict[str, Any], info: ConnectInfo) -> Ok | Error:
        return Error() if "refuse" in params else Ok()


class RoomChannel(Channel[UserSocket]):
    async def join(self, params: Any) -> Ok | Error:
        return Error({"reason": "no"}) if self.subtopic == "closed" else Ok()

    @event("shout")
    async def shout(self, payload: Raw) -> Ok:
        await self.broadcast("heard", payload)
        return Ok()

    @event("spans")
    async def spans(self, payload: Raw) -> Ok:
        found = [told(span) for span in exporter.get_finished_spans()]
        exporter.clear()
        return Ok({"spans": found})


def told(span: ReadableSpan) -> dict[str, Any]:
    """A span as plain data."""
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return {
        "name": span.name,
        "trace": f"{span.context.trace_id:032x}",
        "span": f"{span.context.span_id:016x}",
        "parent": span.parent and f"{span.parent.span_id:016x}",
        "links": [f"{link.context.span_id:016x}" for link in span.links],
        "attributes": dict(span.attributes or {}),
        "began": span.start_time / 1e9,
        "ended": span.end_time / 1e9,
    }


UserSocket.route("room:*", RoomChannel)
endpoint = Endpoint(sockets={"/socket": UserSocket}, check_origin=False)
instrument(endpoint, tracer_provider=provider, all_up_to=4)
