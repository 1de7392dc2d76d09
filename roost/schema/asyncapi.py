"""An inventory as an AsyncAPI 3.0 document. Pure."""

import re
from typing import Any, Final

from roost.schema.inventory import ChannelSchema, Inventory, Schema

VERSION: Final = "3.0.0"
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")


def as_asyncapi(inventory: Inventory, title: str, version: str) -> dict[str, Any]:
    """The document. What clients send are its `receive` operations, for it speaks for the server."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for channel in inventory.channels:
        name = _identifier(f"{channel.socket}_{channel.pattern}")
        channels[name] = _channel(channel)
        operations |= _operations(name, channel)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": title,
            "version": version,
            "description": "Phoenix channels: each message is [join_ref, ref, topic, event, payload] (protocol V2).",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": inventory.types},
    }


def _channel(channel: ChannelSchema) -> dict[str, Any]:
    messages = {"phx_join": _message("phx_join", channel.join)}
    for event, schema in channel.events.items():
        messages[_identifier(event)] = _message(event, schema.payload)
        if schema.reply is not None:
            messages[f"{_identifier(event)}_reply"] = _message("phx_reply", schema.reply)
    for event, payload in channel.sends.items():
        messages[f"{_identifier(event)}_sent"] = _message(event, payload)
    prefix, star, _ = channel.pattern.partition("*")
    described = {"description": channel.description} if channel.description else {}
    parameters = {"parameters": {"subtopic": {"description": "what the * of the pattern stands for"}}} if star else {}
    return {
        "address": f"{prefix}{{subtopic}}" if star else channel.pattern,
        "title": channel.name,
        **described,
        **parameters,
        "messages": messages,
        "x-socket": channel.socket,
    }


def _operations(name: str, channel: ChannelSchema) -> dict[str, Any]:
    at = {"$ref": f"#/channels/{name}"}
    operations: dict[str, Any] = {f"{name}_join": _receive(at, name, "phx_join")}
    for event, schema in channel.events.items():
        key = _identifier(event)
        operation = _receive(at, name, key)
        if schema.reply is not None:
            operation["reply"] = {"channel": at, "messages": [_reference(name, f"{key}_reply")]}
        operations[f"{name}_{key}"] = operation
    for event in channel.sends:
        key = f"{_identifier(event)}_sent"
        operations[f"{name}_{key}"] = {"action": "send", "channel": at, "messages": [_reference(name, key)]}
    return operations


def _receive(at: dict[str, str], channel: str, message: str) -> dict[str, Any]:
    return {"action": "receive", "channel": at, "messages": [_reference(channel, message)]}


def _reference(channel: str, message: str) -> dict[str, str]:
    return {"$ref": f"#/channels/{channel}/messages/{message}"}


def _message(event: str, payload: Schema) -> dict[str, Any]:
    return {"name": event, "payload": payload}


def _identifier(text: str) -> str:
    return _NOT_A_NAME.sub("_", text).strip("_") or "all"
