"""The HTTP API as an OpenAPI 3.1 document. Pure."""

from typing import Any, Final

import msgspec

from roost.gateway.admin.api.requests import DEFAULT_LIMIT, MAX_LIMIT, Event, Events, Named
from roost.gateway.bus.repeats import MAX_KEY_LENGTH
from roost.shared.acting import MAX_OUTSIDE_EVENTS, Broadcasted, Disconnected
from roost.shared.inspection import PresentKey, SubscriberRow, TopicCount
from roost.shared.version import VERSION


class Problem(msgspec.Struct):
    """Why a request was not carried out."""

    error: str


class Topics(msgspec.Struct):
    """Topics with their subscribers counted."""

    total: int
    topics: list[TopicCount]
    complete: bool
    """Whether all were counted: a search has a limit, and a longer prefix finds the rest."""
    silent: list[str]
    """Who did not answer in time."""


class TopicSubscribers(msgspec.Struct):
    """The subscribers of a topic."""

    total: int
    subscribers: list[SubscriberRow]
    silent: list[str]


class TopicPresences(msgspec.Struct):
    """Who is present in a topic."""

    total: int
    present: list[PresentKey]


_TYPES: Final = (
    Event,
    Events,
    Named,
    Broadcasted,
    Disconnected,
    Topics,
    TopicSubscribers,
    TopicPresences,
    Problem,
)
_PROBLEMS: Final = {
    400: "the request is not as it should be",
    401: "there is no token, or it is not good (any more)",
    403: "the token is not for this",
    409: "the idempotency key was used for something else, or the same request is being carried out",
    413: "the body is too large",
    503: "the node cannot carry it out now; the text says whether it may have been carried out all the same",
}


def openapi() -> dict[str, Any]:
    """The document."""
    schemas, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    names = {kind.__name__: schema for kind, schema in zip(_TYPES, schemas, strict=True)}
    components["Events"]["properties"]["events"] |= {"minItems": 1, "maxItems": MAX_OUTSIDE_EVENTS}
    components["Event"]["properties"]["topic"] |= {"pattern": "^[^\\u0000]"}
    components["Named"]["properties"]["id"] |= {"minLength": 1}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Roost", "version": VERSION, "description": "Publish to a node, and ask it."},
        "paths": {
            "/api/broadcast": {"post": _broadcast(names)},
            "/api/disconnect": {"post": _disconnect(names)},
            "/api/topics": {"get": _topics(names)},
            "/api/subscribers": {"get": _of_topic(names, "The subscribers of a topic", "TopicSubscribers")},
            "/api/presences": {"get": _of_topic(names, "Who is present in a topic", "TopicPresences")},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _broadcast(names: dict[str, Any]) -> dict[str, Any]:
    key = {
        "name": "idempotency-key",
        "in": "header",
        "required": False,
        "description": "The same events under the same key are published once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[!-~]+$"},
    }
    body = {"oneOf": [names["Event"], names["Events"]]}
    return {
        **_operation("Publish an event, or several in order", names["Broadcasted"], names, 409, 413),
        "parameters": [key],
        "requestBody": _json_body(body),
    }


def _disconnect(names: dict[str, Any]) -> dict[str, Any]:
    return {
        **_operation("Close the sockets of an id", names["Disconnected"], names, 413),
        "requestBody": _json_body(names["Named"]),
    }


def _topics(names: dict[str, Any]) -> dict[str, Any]:
    prefix = {"name": "prefix", "in": "query", "required": False, "schema": {"type": "string"}}
    return {
        **_operation("Topics with their subscribers counted, the largest first", names["Topics"], names),
        "parameters": [prefix, _LIMIT],
    }


def _of_topic(names: dict[str, Any], summary: str, answer: str) -> dict[str, Any]:
    topic = {"name": "topic", "in": "query", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {**_operation(summary, names[answer], names), "parameters": [topic, _LIMIT]}


_LIMIT: Final = {
    "name": "limit",
    "in": "query",
    "required": False,
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
}


def _operation(summary: str, answer: Any, names: dict[str, Any], *more: int) -> dict[str, Any]:
    problems = {
        str(status): {"description": _PROBLEMS[status], "content": {"application/json": {"schema": names["Problem"]}}}
        for status in sorted((400, 401, 403, 503, *more))
    }
    ok = {"description": "It was carried out.", "content": {"application/json": {"schema": answer}}}
    return {"summary": summary, "responses": {"200": ok, **problems}}


def _json_body(schema: Any) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}
