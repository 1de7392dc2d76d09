"""Collects what an endpoint's channels take and send: the types that their methods are annotated with."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from roost.gateway.channel import Channel
from roost.gateway.payloads import Argument, is_pydantics
from roost.gateway.socket import Socket
from roost.schema.inventory import ChannelSchema, EventSchema, Inventory, Schema
from roost.shared.serializer import Raw

if TYPE_CHECKING:
    from roost.gateway.endpoint import Endpoint

ANYTHING: Final[Schema] = {}
BINARY: Final[Schema] = {"type": "string", "contentEncoding": "binary"}
"""The payload of a binary message."""


def take_inventory(endpoint: "Endpoint") -> Inventory:
    """Look at every route of every mount. Raises TypeError for an annotation that no JSON can be checked against."""
    schemas = _Schemas()
    channels = tuple(
        _channel(mount.path, route.pattern, route.channel, schemas)
        for mount in endpoint.mounts
        if issubclass(mount.socket, Socket)
        for route in mount.socket.routes
    )
    return Inventory(channels, dict(sorted(schemas.types.items())))


def _channel(socket: str, pattern: str, channel: type[Channel[Any]], schemas: "_Schemas") -> ChannelSchema:
    events = {
        name: EventSchema(
            schemas.of(method.argument.annotation), None if method.reply is None else schemas.of(method.reply)
        )
        for name, method in sorted(channel.event_methods().items())
    }
    return ChannelSchema(
        name=channel.__name__,
        socket=socket,
        pattern=pattern,
        description=(channel.__doc__ or "").strip() if channel.__doc__ != Channel.__doc__ else "",
        join=schemas.of(Argument(channel.join).annotation),
        events=events,
        sends={name: schemas.of(kind) for name, kind in sorted(channel.sends.items())},
        others=channel.handle_in is not Channel.handle_in,
    )


class _Schemas:
    """JSON Schemas of types, with those that are referred to collected."""

    _AT: Final = "#/components/schemas/{name}"

    def __init__(self) -> None:
        self.types: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of an annotation."""
        if kind is Any or kind is Raw:
            return ANYTHING
        if kind is bytes:
            return BINARY
        if is_pydantics(kind):
            return self._of_pydantics(kind)
        (schema,), types = msgspec.json.schema_components(
            (kind,), schema_hook=self._of_pydantics, ref_template=self._AT
        )
        self.types |= types
        return schema

    def _of_pydantics(self, kind: Any) -> Schema:
        from pydantic import TypeAdapter

        if not is_pydantics(kind):
            raise NotImplementedError
        schema: Schema = TypeAdapter(kind).json_schema(ref_template=self._AT.replace("{name}", "{model}"))
        self.types |= schema.pop("$defs", {})
        if schema.get("type") != "object" or not isinstance(kind, type):
            return schema
        self.types[kind.__name__] = schema
        return {"$ref": self._AT.format(name=kind.__name__)}
