"""What programs send to the HTTP API: read whole, or refused with what is wrong."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.admin.api.access import EVERYTHING, May, rights_of, token_data
from roost.gateway.admin.api.document import openapi
from roost.gateway.admin.api.requests import BadRequest, read_broadcast, read_limit, read_name
from roost.gateway.admin.guard import bearer
from roost.shared.acting import BroadcastEvents, OutsideEvent

ONE = {"topic": "room:a", "event": "news", "payload": {"n": 1}}


def test_one_event_and_several_are_read() -> None:
    event = OutsideEvent("room:a", "news", b'{"n":1}')
    assert read_broadcast(json.dumps(ONE).encode(), "k") == BroadcastEvents((event,), key="k")
    assert read_broadcast(json.dumps({"events": [ONE, ONE]}).encode(), None) == BroadcastEvents((event, event))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"topic":"a"}', "missing required field `event`"),
        (b'{"topic":"a","event":"b","payload":[]}', r"\$\.payload"),
        (b'{"topic":"a","event":"b","more":1}', "unknown field `more`"),
        (b'{"events":[]}', "1 to 1000 events"),
        (b'{"topic":"\\u0000a","event":"b"}', "event 0: topics that begin with a zero byte"),
        (b'{"topic":"","event":"b"}', "event 0: topic is empty"),
    ],
)
def test_what_is_wrong_is_said(body: bytes, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        read_broadcast(body, None)


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "\u00e9", "a\n"])
def test_a_key_is_short_and_plain(key: str) -> None:
    with pytest.raises(BadRequest, match="an idempotency key is"):
        read_broadcast(json.dumps(ONE).encode(), key)


@given(st.binary(max_size=60))
def test_no_body_does_worse_than_a_bad_request(body: bytes) -> None:
    for read in (lambda: read_broadcast(body, None), lambda: read_name(body)):
        with suppress(BadRequest):
            read()


@pytest.mark.parametrize("text", ["0", "1001", "-1", "x", "1e2", "9" * 50, "\u0661"])
def test_a_limit_is_a_number_within_bounds(text: str) -> None:
    with pytest.raises(BadRequest, match="from 1 to 1000"):
        read_limit(text)


def test_a_token_allows_what_it_was_made_for() -> None:
    for rights in (frozenset({May.READ}), EVERYTHING, frozenset[May]()):
        assert rights_of(token_data(rights)) == rights


@pytest.mark.parametrize("data", [None, 1, {}, {"may": "read"}, {"may": [1, "everything"]}])
def test_what_is_not_known_allows_nothing(data: Any) -> None:
    assert rights_of(data) == frozenset()


def test_tokens_come_as_bearer() -> None:
    assert [bearer(text) for text in ("Bearer a.b", "bearer  c", "Basic d", "")] == ["a.b", "c", None, None]


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = openapi()
    text = json.dumps(document)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
