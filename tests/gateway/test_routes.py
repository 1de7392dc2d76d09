"""Topic patterns: exact ones, prefixes, and the first that matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.routes import Route, find_route

topics = st.text("ab:*")
plain = st.text("ab:", min_size=1)


@given(plain, topics)
def test_an_exact_pattern_matches_itself_alone(pattern: str, topic: str) -> None:
    assert Route(pattern, None).match(topic) == ("" if topic == pattern else None)
    assert Route(pattern, None).match(pattern) == ""


@given(st.text("ab:"), topics)
def test_a_star_stands_for_any_rest_the_empty_one_too(prefix: str, rest: str) -> None:
    route = Route(prefix + "*", None)
    assert route.match(prefix + rest) == rest
    assert route.match(prefix) == ""


@given(plain, topics)
def test_a_star_matches_nothing_with_another_beginning(prefix: str, topic: str) -> None:
    if not topic.startswith(prefix):
        assert Route(prefix + "*", None).match(topic) is None


@given(st.text(max_size=3), st.text(min_size=1, max_size=3))
def test_a_star_is_only_allowed_at_the_end(before: str, after: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Route(f"{before}*{after}", None)


def test_there_is_no_empty_pattern() -> None:
    with pytest.raises(ValueError, match="pattern"):
        Route("", None)


@given(st.lists(plain | plain.map(lambda prefix: prefix + "*")), topics)
def test_the_first_route_that_matches_serves(patterns: list[str], topic: str) -> None:
    routes = [Route(pattern, number) for number, pattern in enumerate(patterns)]
    matching = [route for route in routes if route.match(topic) is not None]
    found = find_route(routes, topic)
    if matching:
        assert found == (matching[0], matching[0].match(topic))
    else:
        assert found is None


def test_declared_order_counts() -> None:
    routes = [Route("food*", "eat"), Route("foo*", "bar"), Route("foo:exact", "never")]
    assert find_route(routes, "food:1") == (routes[0], ":1")
    assert find_route(routes, "foo:exact") == (routes[1], ":exact")
    assert find_route(routes, "fo") is None
