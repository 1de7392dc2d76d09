"""Query strings: Plug's examples, what a client encodes, and anything at all."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.connect.query import MAX_NESTING, BadQuery, decode_query

keys = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1)
words = st.text(st.characters(codec="utf-8"))
nested = st.recursive(
    words | st.lists(words, min_size=1), lambda inner: st.dictionaries(keys, inner, min_size=1), max_leaves=8
)


def encoded(name: str, value: Any) -> Iterator[str]:
    """As phoenix.js encodes parameters."""
    match value:
        case dict():
            for key, below in value.items():
                yield from encoded(f"{name}[{key}]" if name else key, below)
        case list():
            for item in value:
                yield from encoded(f"{name}[]", item)
        case _:
            yield f"{quote_plus(name)}={quote_plus(value)}"


@given(st.dictionaries(keys, nested))
def test_what_a_client_encodes_is_what_connect_gets(params: dict[str, Any]) -> None:
    assert decode_query("&".join(encoded("", params))) == params


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("", {}),
        ("foo=bar", {"foo": "bar"}),
        ("foo=bar&foo=baz", {"foo": "baz"}),
        ("foo", {"foo": ""}),
        ("=bar", {"": "bar"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=1&&b=2&", {"a": "1", "b": "2"}),
        ("a+b=c+d%20e", {"a b": "c d e"}),
        ("foo[bar]=baz", {"foo": {"bar": "baz"}}),
        ("foo%5Bbar%5D=baz", {"foo": {"bar": "baz"}}),
        ("foo[a]=1&foo[b]=2", {"foo": {"a": "1", "b": "2"}}),
        ("foo[a][b]=1&foo[a][c]=2", {"foo": {"a": {"b": "1", "c": "2"}}}),
        ("foo[]=bar&foo[]=baz", {"foo": ["bar", "baz"]}),
        ("foo[a][]=1&foo[a][]=2", {"foo": {"a": ["1", "2"]}}),
        ("foo[][a]=1&foo[][b]=2", {"foo": [{"a": "1", "b": "2"}]}),
        ("foo[][]=1&foo[][]=2", {"foo": [["1", "2"]]}),
        # Names that do not fit together: the later one says what it is.
        ("foo=1&foo[a]=2", {"foo": {"a": "2"}}),
        ("foo[a]=1&foo=2", {"foo": "2"}),
        ("foo[]=1&foo[a]=2", {"foo": {"a": "2"}}),
        ("foo[a]=1&foo[]=2", {"foo": ["2"]}),
        # Brackets that are not in order belong to the name.
        ("foo[bar=baz", {"foo[bar": "baz"}),
        ("foo]=baz", {"foo]": "baz"}),
        ("[foo]=baz", {"[foo]": "baz"}),
        ("foo[a]b=c", {"foo[a]b": "c"}),
        ("foo[a]b[c]=d", {"foo": {"a]b[c": "d"}}),
        ("a=%zz&b=%&c=%4&d", {"a": "%zz", "b": "%", "c": "%4", "d": ""}),
        ("vsn[]=2.0.0", {"vsn": ["2.0.0"]}),
    ],
)
def test_plugs_rules(query: str, params: dict[str, Any]) -> None:
    assert decode_query(query) == params


@pytest.mark.parametrize("query", ["a=%ff", "%c3=1", "a=1&b=%ed%a0%80", "a[%ff]=1"])
def test_text_that_is_no_utf8_is_refused(query: str) -> None:
    with pytest.raises(BadQuery, match="not valid UTF-8"):
        decode_query(query)


def test_nesting_has_a_limit() -> None:
    value: Any = decode_query("a" + "[b]" * MAX_NESTING + "=1")["a"]
    for _ in range(MAX_NESTING):
        value = value["b"]
    assert value == "1"
    with pytest.raises(BadQuery, match="nests more than"):
        decode_query("a" + "[b]" * (MAX_NESTING + 1) + "=1")


@given(st.text(st.sampled_from("ab[]=&%+2e")) | st.text())
def test_no_query_does_worse_than_a_refusal(query: str) -> None:
    with suppress(BadQuery):
        assert all(isinstance(name, str) for name in decode_query(query))
