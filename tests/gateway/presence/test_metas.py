"""The JSON that clients see."""

import msgspec
import pytest

from roost.gateway.presence.entries import Entry
from roost.gateway.presence.gossip import (
    BadGossip,
    Farewell,
    Gossip,
    Heartbeat,
    Transfer,
    TransferRequest,
    decode_gossip,
    encode_gossip,
)
from roost.gateway.presence.metas import (
    Presences,
    References,
    by_key,
    decode_presences,
    encode_meta,
    encode_presences,
    only_references,
    pick,
)
from roost.gateway.presence.presence_set import PresenceSet


def entry(key: str, reference: str, owner: int = 1, **meta: object) -> Entry:
    return Entry("a", owner, "t", key, owner, encode_meta(meta, reference))


def test_references_are_16_characters_and_never_the_same() -> None:
    given = [
        reference for name in ("n:1", "n:2") for made in [References(name)] for reference in (made.next(), made.next())
    ]
    assert len(set(given)) == 4
    assert {len(reference) for reference in given} == {16}


def test_a_meta_carries_its_reference_and_the_previous_one() -> None:
    assert msgspec.json.decode(encode_meta({"a": 1}, "new", "old")) == {"a": 1, "phx_ref": "new", "phx_ref_prev": "old"}
    kept = {"a": 1, "phx_ref": "old", "phx_ref_prev": "older"}
    assert msgspec.json.decode(encode_meta(kept, "new")) == {"a": 1, "phx_ref": "new"}


@pytest.mark.parametrize("meta", [None, "text", 1, ["a"], b"{}"])
def test_a_meta_that_is_no_dict_is_a_bug(meta: object) -> None:
    with pytest.raises(TypeError, match="a meta is a dict"):
        encode_meta(meta, "r")  # type: ignore[arg-type]


def test_what_clients_see_is_what_code_sees() -> None:
    keys = by_key([entry("x", "r2", 2), entry('__proto__"', "r3", 3), entry("x", "r1", 1, a="é")])
    shown = decode_presences(encode_presences(keys))
    assert shown.keys() == {"x", '__proto__"'}
    assert shown["x"]["metas"][0]["a"] == "é"
    assert [meta["phx_ref"] for meta in shown["x"]["metas"]] == ["r1", "r2"]
    assert encode_presences({}) == b"{}"


def test_of_what_was_fetched_each_side_of_a_diff_has_its_own_metas() -> None:
    joined, left = entry("x", "r2", 2, a=2), entry("x", "r1", 1, a=1)
    fetched: Presences = {
        "x": {"user": "Ann", "metas": [{"phx_ref": "r1", "a": 1}, {"phx_ref": "r2", "a": 2}]},
        "y": {"metas": []},
    }
    assert pick(fetched, by_key([joined])) == {"x": {"user": "Ann", "metas": [{"phx_ref": "r2", "a": 2}]}}
    assert pick(fetched, by_key([left])) == {"x": {"user": "Ann", "metas": [{"phx_ref": "r1", "a": 1}]}}
    assert pick({}, by_key([left])) == {}, "a key that fetch left out is not shown"


def test_without_fetch_nothing_is_told_but_references() -> None:
    assert only_references(by_key([entry("x", "r1", secret="s")])) == {"x": {"metas": [{"phx_ref": "r1"}]}}


def test_gossip_is_read_as_it_was_written() -> None:
    presences = PresenceSet("a")
    presences.add("t", "x", 1, b"{}")
    messages: list[Gossip] = [
        Heartbeat("a", {"a": 1}, presences.take_delta(), greets=True),
        Heartbeat("a", {}),
        TransferRequest("a", {"b": 2}, {"b": [4, 5]}),
        *(Transfer("a", part) for part in presences.extract({}, {}, "b")),
        Farewell("a"),
    ]
    assert [decode_gossip(encode_gossip(message)) for message in messages] == messages


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x01", b"\x92\x09\xa1a", b"\x93\x01\xa1a\x01"])
def test_other_bytes_are_no_gossip(data: bytes) -> None:
    with pytest.raises(BadGossip):
        decode_gossip(data)
