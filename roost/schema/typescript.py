"""An inventory as TypeScript types. Pure."""

import json
import re
from typing import Any, Final

from roost.schema.inventory import ChannelSchema, Inventory, Schema

_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9_$]+")
_PLAIN: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def as_typescript(inventory: Inventory) -> str:
    """One interface for each type, and one for each channel: what it takes at a join, what clients push and hear."""
    parts = ["// What clients and channels say to each other. Made by `roost schema`."]
    parts += [_declare(name, schema) for name, schema in inventory.types.items()]
    parts += [_channel(channel) for channel in inventory.channels]
    return "\n\n".join(parts) + "\n"


def _declare(name: str, schema: Schema) -> str:
    text = _type(schema, 0)
    if text.startswith("{\n"):
        return f"export interface {_name(name)} {text}"
    return f"export type {_name(name)} = {text}"


def _channel(channel: ChannelSchema) -> str:
    lines = [f"/** {channel.name}: topics {json.dumps(channel.pattern)} of the socket at {channel.socket}. */"]
    events = [(name, event.payload) for name, event in channel.events.items()]
    replies = [(name, event.reply) for name, event in channel.events.items() if event.reply is not None]
    if channel.others:
        lines.append("// It takes further events, too.")
    members = [
        f"  join: {_type(channel.join, 1)}",
        f"  push: {_object(events, 1)}",
        f"  reply: {_object(replies, 1)}",
        f"  receive: {_object(list(channel.sends.items()), 1)}",
    ]
    return "\n".join([*lines, f"export interface {_name(channel.name)} {{", *members, "}"])


def _object(members: list[tuple[str, Schema]], depth: int) -> str:
    if not members:
        return "{}"
    pad = "  " * (depth + 1)
    lines = [f"{pad}{_key(name)}: {_type(schema, depth + 1)}" for name, schema in members]
    return "\n".join(["{", *lines, "  " * depth + "}"])


def _type(schema: Any, depth: int) -> str:
    match schema:
        case {"$ref": str(reference)}:
            return _name(reference.rpartition("/")[2])
        case {"contentEncoding": "binary"}:
            return "ArrayBuffer"
        case {"const": value}:
            return json.dumps(value)
        case {"enum": list(values)}:
            return " | ".join(map(json.dumps, values))
        case {"anyOf": list(some)} | {"oneOf": list(some)}:
            return " | ".join(dict.fromkeys(_type(one, depth) for one in some))
        case {"type": list(kinds)}:
            return " | ".join(_type({**schema, "type": kind}, depth) for kind in kinds)
        case {"type": "array"}:
            return _array(schema, depth)
        case {"type": "object"}:
            return _record(schema, depth)
        case {"type": str(kind)}:
            return _PLAIN.get(kind, "unknown")
    return "unknown"


def _array(schema: Schema, depth: int) -> str:
    items = schema.get("items")
    if (first := schema.get("prefixItems")) is not None:
        fixed = [_type(one, depth) for one in first]
        rest = [f"...{_several(_type(items, depth))}"] if isinstance(items, dict) else []
        return f"[{', '.join([*fixed, *rest])}]"
    return _several(_type(items, depth) if items else "unknown")


def _several(kind: str) -> str:
    return f"({kind})[]" if " | " in kind else f"{kind}[]"


def _record(schema: Schema, depth: int) -> str:
    properties: dict[str, Schema] = schema.get("properties", {})
    if not properties:
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values, depth) if isinstance(values, dict) else 'unknown'}>"
    required = schema.get("required", [])
    pad = "  " * (depth + 1)
    lines = [
        f"{pad}{_key(name)}{'' if name in required else '?'}: {_type(one, depth + 1)}"
        for name, one in properties.items()
    ]
    return "\n".join(["{", *lines, "  " * depth + "}"])


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _name(name: str) -> str:
    cleaned = _NOT_A_NAME.sub("_", name)
    return cleaned if _NAME.match(cleaned) else f"_{cleaned}"
