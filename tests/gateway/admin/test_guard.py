"""Who is let in to the admin listener."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.admin.guard import wrong_host, wrong_token

TOKEN = "9t0k3n-_"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
@pytest.mark.parametrize("port", ["", ":4001", ":80"])
def test_this_machine_by_its_own_names(host: str, port: str) -> None:
    assert wrong_host(host + port) is None


@pytest.mark.parametrize(
    "host",
    [
        *("", ":4001", "example.com", "localhost.example.com", "localhost.example.com:4001", "127.0.0.1.example.com"),
        *("example.com:localhost", "[::1].example.com", "::1", "0.0.0.0", "10.0.0.1", "localhost:4001:4001"),
        *("127.0.0.1@example.com", "[::2]:4001", "localhost "),
    ],
)
def test_no_other_name(host: str) -> None:
    refusal = wrong_host(host)
    assert refusal is not None
    assert refusal.status == 421


@given(st.text())
def test_no_text_is_taken_for_this_machine_unless_it_names_it(host: str) -> None:
    if wrong_host(host) is None:
        assert host.lower().startswith(("localhost", "127.0.0.1", "[::1]"))


def test_the_token_is_shown_as_bearer_or_as_parameter() -> None:
    assert wrong_token(f"Bearer {TOKEN}", "", TOKEN) is None
    assert wrong_token(f"bearer  {TOKEN}", "", TOKEN) is None
    assert wrong_token("", TOKEN, TOKEN) is None


@pytest.mark.parametrize(
    ("authorization", "parameter"),
    [
        *(("", ""), ("Bearer", ""), ("Bearer ", ""), (f"Basic {TOKEN}", ""), (TOKEN, ""), (f"Bearer {TOKEN}x", "")),
        *(("", TOKEN[:-1]), ("", TOKEN.upper()), ("Bearer wrong", TOKEN), ("Bearer \xe9", ""), ("", "\u20ac")),
    ],
)
def test_whoever_does_not_show_it_is_refused(authorization: str, parameter: str) -> None:
    refusal = wrong_token(authorization, parameter, TOKEN)
    assert refusal is not None
    assert refusal.status == 401
    assert TOKEN not in refusal.sentence
