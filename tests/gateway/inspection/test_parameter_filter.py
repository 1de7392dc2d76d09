"""What is masked in logs: upstream's cases LG-01 to LG-09, and by property that no secret survives."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.inspection.parameter_filter import (
    DEFAULT_TERMS,
    FILTERED,
    MAX_DEPTH,
    MAX_SHOWN,
    DiscardParameters,
    KeepParameters,
    printable,
    shown,
)

discard = DiscardParameters(DEFAULT_TERMS)
keep = KeepParameters(["id", "name"])
SECRET = "Zz9secret9zZ"
"""Occurs in nothing that hypothesis makes up: it has none of its letters."""

letters = st.text("abcde [\n\"'%=é", max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | letters,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3),
    max_leaves=12,
)
secret_names = st.tuples(
    letters, st.sampled_from([*DEFAULT_TERMS, "Password", "accessToken", "AUTH_TOKEN"]), letters
).map("".join)


@st.composite
def around_a_secret(draw: st.DrawFn) -> Any:
    """Data in which a secret stands below a secret's name, or in a text that assigns it, anywhere."""
    if draw(st.booleans()):
        holder = draw(
            st.recursive(st.just(SECRET), lambda inner: st.lists(inner, min_size=1, max_size=2), max_leaves=2)
        )
        value: Any = {draw(secret_names): holder}
    else:
        value = f"{draw(letters)}{draw(st.sampled_from(DEFAULT_TERMS))}={SECRET}{draw(letters)}"
    for _ in range(draw(st.integers(0, 4))):
        beside = draw(json_values)
        value = draw(st.sampled_from([[beside, value], {"a": value, "b": beside}, {draw(letters): value}]))
    return value


@given(around_a_secret())
def test_no_secret_survives(value: Any) -> None:
    assert SECRET in repr(value)
    assert SECRET not in shown(discard(value))


@given(json_values)
def test_what_is_no_secret_is_not_touched(value: Any) -> None:
    assert discard(value) == value


@given(json_values)
def test_kept_are_only_the_named(value: Any) -> None:
    leaves = json.dumps(keep({"a": value, "b": [SECRET, {"c": SECRET}]}))
    assert SECRET not in leaves
    assert keep({"a": {"id": value}}) == {"a": {"id": value}}


def test_lg_01_to_03_top_level_nested_and_in_lists() -> None:
    assert discard({"foo": "bar", "password": "x"}) == {"foo": "bar", "password": FILTERED}
    assert discard({"a": {"my_password_2": 1}}) == {"a": {"my_password_2": FILTERED}}
    assert discard([{"password": {"deep": 1}}, "b"]) == [{"password": FILTERED}, "b"]


def test_lg_04_and_05_objects_are_untouched_and_names_may_be_anything() -> None:
    thing = object()
    assert discard({"a": thing, 1: "b"}) == {"a": thing, 1: "b"}


def test_lg_06_to_09_keep_mode() -> None:
    assert keep({"foo": "bar", "id": 1}) == {"foo": FILTERED, "id": 1}
    assert keep({"name": {"password": "kept"}, "x": [1, {"id": 2}]}) == {
        "name": {"password": "kept"},
        "x": [FILTERED, {"id": 2}],
    }
    assert keep({"a": {"b": object()}}) == {"a": {"b": FILTERED}}


def test_values_that_assign_a_term_are_masked() -> None:
    assert discard({"url": "/a?x=1&token=abc"}) == {"url": FILTERED}
    assert discard("PASSWORD=abc") == FILTERED
    assert discard({"note": "a token of love"}) == {"note": "a token of love"}


@pytest.mark.parametrize("masks", [discard, KeepParameters(["no such name"])])
def test_depth_has_an_end(masks: Any) -> None:
    value: Any = SECRET
    for _ in range(5000):
        value = [value]
    text = shown(masks(value))
    assert SECRET not in text
    assert text.count("[") <= MAX_DEPTH + 1


@pytest.mark.parametrize("wrong", ["password", [1], [""]])
@pytest.mark.parametrize("kind", [DiscardParameters, KeepParameters])
def test_what_is_no_list_of_names_is_refused(kind: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match="list of names"):
        kind(wrong)


@given(json_values)
def test_shown_is_one_line(value: Any) -> None:
    assert shown(value).isprintable()


def test_shown_has_a_limit_and_never_binary_data() -> None:
    assert len(shown("x" * 100_000)) < MAX_SHOWN + 50
    assert shown(SECRET.encode()) == f"{len(SECRET)} bytes of binary data"
    assert SECRET not in shown({"a": SECRET.encode()})
    assert shown({"a": "\u2028"}) == '{"a": "\\u2028"}'


@given(st.text())
def test_names_of_clients_stay_on_their_line(name: str) -> None:
    assert printable(name).isprintable()
    if name.isprintable():
        assert printable(name) == name
