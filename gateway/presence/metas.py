"""The JSON of presences: metas and their references, `presence_state`, `presence_diff`, as in Phoenix. Pure."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from roost.gateway.presence.entries import Entry, in_order
from roost.shared.serializer import encode_json

Presences = dict[str, dict[str, Any]]
"""What `list` answers and `fetch` is given: `{key: {"metas": [meta, ...]}}`."""

_decode = msgspec.json.Decoder().decode


class References:
    """The `phx_ref` of each meta: 16 characters, never the same again, opaque to clients."""

    def __init__(self, replica: str) -> None:
        self._prefix = hashlib.blake2b(replica.encode(), digest_size=7).digest()
        self._given = 0

    def next(self) -> str:
        """Another reference."""
        self._given += 1
        return urlsafe_b64encode(self._prefix + self._given.to_bytes(5, "big")).decode()


def encode_meta(meta: Mapping[str, Any], reference: str, previous: str | None = None) -> bytes:
    """A meta as it goes to clients. Raises TypeError if it is no dict of what JSON can express."""
    if not isinstance(meta, Mapping):
        raise TypeError(f"a meta is a dict, not {meta!r}")
    referenced = {**meta, "phx_ref": reference}
    if previous is None:
        referenced.pop("phx_ref_prev", None)
    else:
        referenced["phx_ref_prev"] = previous
    return encode_json(referenced)


def decode_meta(meta: bytes) -> dict[str, Any]:
    """A meta as code sees it; a new object each time."""
    decoded: dict[str, Any] = _decode(meta)
    return decoded


def decode_presences(text: bytes) -> Presences:
    """Presences as code sees them, from what clients see."""
    presences: Presences = _decode(text)
    return presences


def encode_presences(keys: Mapping[str, Collection[Entry]]) -> bytes:
    """Presences as clients see them, without looking into the metas."""
    return b"{%b}" % b",".join([encode_presence(key, entries) for key, entries in keys.items()])


def encode_presence(key: str, entries: Collection[Entry]) -> bytes:
    """One key with its metas, as it stands among others."""
    return b'%b:{"metas":[%b]}' % (encode_json(key), b",".join([entry.meta for entry in entries]))


def encode_diff(joins: bytes, leaves: bytes) -> bytes:
    """The payload of `presence_diff`."""
    return b'{"joins":%b,"leaves":%b}' % (joins, leaves)


def check_fetched(fetched: Any) -> Presences:
    """What `fetch` made. Raises TypeError if that is no presences."""
    if isinstance(fetched, dict) and all(map(_is_presence, fetched.values())):
        return fetched
    raise TypeError('fetch answers {key: {"metas": [meta, ...], ...}}, as it was given')


def pick(fetched: Presences, keys: Mapping[str, Collection[Entry]]) -> Presences:
    """Of what `fetch` made, the part that belongs to these entries: by the reference of each meta."""
    picked: Presences = {}
    for key, entries in keys.items():
        presence = fetched.get(key)
        if presence is not None:
            references = {reference_of(entry) for entry in entries}
            metas = [meta for meta in presence["metas"] if meta.get("phx_ref") in references]
            picked[key] = {**presence, "metas": metas}
    return picked


def only_references(keys: Mapping[str, Collection[Entry]]) -> Presences:
    """Presences without anything of their metas that is the application's."""
    return {key: {"metas": [_bare(entry) for entry in entries]} for key, entries in keys.items()}


def reference_of(entry: Entry) -> str:
    """The `phx_ref` of an entry."""
    reference: str = _decode(entry.meta)["phx_ref"]
    return reference


def follow(entry: Entry, left: Entry | None) -> Entry:
    """The entry as a diff shows it that says `left` has left: the metas between both were merged away."""
    meta = _decode(entry.meta)
    previous = None if left is None else reference_of(left)
    if meta.get("phx_ref_prev") == previous:
        return entry
    if previous is None:
        del meta["phx_ref_prev"]
    else:
        meta["phx_ref_prev"] = previous
    return msgspec.structs.replace(entry, meta=encode_json(meta))


def by_key(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries of one topic by their keys, those of one key in order."""
    keys: dict[str, list[Entry]] = {}
    for entry in entries:
        keys.setdefault(entry.key, []).append(entry)
    for metas in keys.values():
        if len(metas) > 1:
            metas.sort(key=in_order)
    return keys


def _is_presence(presence: Any) -> bool:
    return isinstance(presence, dict) and isinstance(metas := presence.get("metas"), list) and _all_dicts(metas)


def _all_dicts(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


def _bare(entry: Entry) -> dict[str, Any]:
    meta = _decode(entry.meta)
    return {name: meta[name] for name in ("phx_ref", "phx_ref_prev") if name in meta}
