"""An application's attributes as the command line tells them: masked, on one line, and never too large to look at."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.clients.assigns import MAX_ENTRIES, MAX_TEXT, MAX_VALUES, shown_assigns
from roost.gateway.inspection.parameter_filter import (
    DEFAULT_TERMS,
    FILTERED,
    MAX_SHOWN,
    DiscardParameters,
    KeepParameters,
)
from tests.shared.json_values import values as json_values

SECRET = "hunter2"
masks = DiscardParameters(DEFAULT_TERMS)


@given(st.dictionaries(st.text(), json_values), st.sampled_from(["password", "auth_token", "Password2"]))
def test_what_logs_mask_is_masked(attributes: dict[str, Any], name: str) -> None:
    inner: Any = {"nested": [{name: SECRET}]}
    told = shown_assigns({**attributes, name: SECRET, "state": inner}, masks)
    assert SECRET not in told
    assert told.isprintable()
    assert len(told) < MAX_SHOWN + 50


@given(st.dictionaries(st.text(min_size=1), json_values))
def test_of_a_filter_that_keeps_nothing_nothing_is_seen(attributes: dict[str, Any]) -> None:
    assert SECRET not in shown_assigns(
        {**attributes, "a": SECRET, "b": [SECRET], "c": SECRET}, KeepParameters(["other"])
    )


def test_what_is_roosts_own_is_left_out() -> None:
    attributes = {"topic": "a", "socket": object(), "_process": object(), "number": 1, "name": "Ada"}
    assert shown_assigns(attributes, masks) == '{"name": "Ada"}'


def test_a_text_that_is_cut_is_still_masked() -> None:
    assert shown_assigns({"url": f"https://example.org/?token={SECRET}" + "x" * 2 * MAX_TEXT}, masks) == (
        f'{{"url": "{FILTERED}"}}'
    )


def test_objects_are_told_by_their_kind() -> None:
    assert shown_assigns({"lock": object(), "blob": b"abc"}, masks) == '{"lock": "<object>", "blob": "<3 bytes>"}'


def test_what_contains_itself_ends() -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert "<list> of 1" in shown_assigns({"ring": ring}, masks)


class Watched(list[int]):
    """Not plain data: it may be anything."""


def test_only_so_much_is_looked_at() -> None:
    """A worker must not stand still because somebody looks at large state."""
    looked_at = 0

    def counting(value: Any) -> Any:
        nonlocal looked_at
        todo = [value]
        while todo:
            looked_at += 1
            one = todo.pop()
            todo += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
        return value

    large = [[list(range(1000))] * 1000] * 100
    told = shown_assigns({"large": large, "more": Watched([1])}, counting)
    assert looked_at < MAX_VALUES + 2 * MAX_ENTRIES
    assert "... 1000 entries" in told


def test_of_a_long_list_or_dict_fifty_entries_are_told() -> None:
    told = json.loads(shown_assigns({"list": list(range(60)), "dict": {f"k{at}": at for at in range(60)}}, lambda v: v))
    assert told["list"] == [*range(50), "... 60 entries"]
    assert told["dict"] == {**{f"k{at}": at for at in range(50)}, "...": "60 entries"}
