"""Which pages may connect: upstream's cases (OR-01 to OR-15) for every form of `check_origin`."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.connect.origin import Origin, read_check_origin

HERE = Origin.parse("http://localhost:4000")


def may(check: Any, origin: str, *, host: str | None = "host.com", request: str = "http://localhost:4000") -> bool:
    policy = read_check_origin(check)
    return policy is None or policy(Origin.parse(origin), Origin.parse(request), host)


def own(origin: str, host: str | None = "host.com") -> bool:
    return may(check=True, origin=origin, host=host)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://a.com", ("http", "a.com", 80)),
        ("https://a.com", ("https", "a.com", 443)),
        ("ws://a.com", ("ws", "a.com", 80)),
        ("wss://a.com/x?y#z", ("wss", "a.com", 443)),
        ("HTTP://A.com:8080", ("http", "A.com", 8080)),
        ("http://user:secret@a.com:1", ("http", "a.com", 1)),
        ("http://[::1]:4000", ("http", "::1", 4000)),
        ("http://a.com:", ("http", "a.com", 80)),
        ("//a.com", (None, "a.com", None)),
        ("//a.com:888", (None, "a.com", 888)),
        ("app://a", ("app", "a", None)),
        *((text, (None, None, None)) for text in ("", "null", "localhost", "file://", "a.com", "http://", "http:///x")),
        *((text, (None, None, None)) for text in ("http://a.com:99999999", "http://a:b", "http://[::1", "\0", "a\nb")),
    ],
)
def test_what_an_origin_is_made_of(text: str, parts: tuple[Any, ...]) -> None:
    origin = Origin.parse(text)
    assert (origin.scheme, origin.host, origin.port) == parts
    assert origin.text == text


@given(st.text())
def test_any_text_is_an_origin_of_some_kind(text: str) -> None:
    for check in (True, False, "conn", ["//*.example.com", "https://a.com:1"], lambda origin: origin.host is None):
        assert may(check, text) in (True, False)


@pytest.mark.parametrize("origin", ["http://notallowed.com", "file://", "null", ""])
def test_or_01_and_11_nothing_is_checked(origin: str) -> None:
    assert read_check_origin(check=False) is None


def test_or_02_the_endpoints_own_host() -> None:
    assert own("http://host.com")
    assert own("https://host.com:8443")
    assert not own("http://notallowed.com")
    assert not own("http://sub.host.com")
    assert not own("http://HOST.com")
    assert own("http://anything", host=None)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_names_of_the_loopback_are_one_host(name: str, host: str) -> None:
    assert own(f"http://{name}:4000", host=host)
    assert not own(f"http://{name}:4000")
    assert not own("http://LOCALHOST:4000", host=host)


def test_or_05_wildcards() -> None:
    for scheme in ("http", "https"):
        for origin in ("ex.com", "org1.ex.com", "a.b.ex.com"):
            assert may(["//*.ex.com"], f"{scheme}://{origin}")
    assert not may(["//*.ex.com"], "http://prefix-ex.com")
    assert not may(["//*.ex.com"], "http://ex.com.org")
    assert may(["https://*.ex.com"], "https://org1.ex.com")
    assert not may(["https://*.ex.com"], "http://org1.ex.com")


def test_or_06_wildcards_below_a_sub_domain() -> None:
    check = ["http://*.foo.example.com"]
    assert may(check, "http://org1.foo.example.com")
    assert may(check, "http://foo.example.com")
    for other in ("http://org1.bar.example.com", "http://org1.foo.example.org", "http://prefix-foo.example.com"):
        assert not may(check, other)


def test_or_07_without_a_wildcard_sub_domains_are_others() -> None:
    assert may(["//example.com"], "http://example.com")
    assert not may(["//example.com"], "http://org1.example.com")


@pytest.mark.parametrize("origin", ["file://", "null", "", "localhost"])
@pytest.mark.parametrize("check", [["//example.com"], True, "conn"])
def test_or_08_origins_without_a_host(check: Any, origin: str) -> None:
    assert not may(check, origin)
    assert not may(check, origin, host=None)


def test_or_09_and_13_functions() -> None:
    def only_null(origin: Origin) -> bool:
        return origin.host is None and origin.text == "null"

    assert may(only_null, "null")
    assert not may(only_null, "http://example.com")


def test_or_14_functions_with_arguments_of_their_own() -> None:
    def is_one_of(hosts: list[str], origin: Origin) -> bool:
        return origin.host in hosts

    check = partial(is_one_of, ["example.com"])
    assert may(check, "http://example.com")
    assert not may(check, "http://other.com")


def test_or_10_the_requests_own_scheme_host_and_port() -> None:
    assert may("conn", "http://localhost:4000")
    assert may("conn", "https://a.com", request="https://a.com:443")
    for other in ("ws://localhost:4000", "https://localhost:4000", "http://other:4000", "http://localhost:4001"):
        assert not may("conn", other)


def test_or_12_lists() -> None:
    check = ["//host.com", "http://scheme.com", "//port.com:81"]
    for origin in ("http://host.com", "https://host.com", "http://host.com:8080", "http://scheme.com"):
        assert may(check, origin)
    assert may(check, "http://port.com:81")
    assert may(check, "https://port.com:81")
    for other in ("http://notallowed.com", "https://scheme.com", "http://scheme.com:8080", "http://port.com"):
        assert not may(check, other)
    assert not may(check, "https://port.com:82")
    assert not may([], "http://host.com")


@pytest.mark.parametrize("entry", ["example.com", "", "http://", "*", "//*a.com", "//a.*.com", "https://*"])
def test_entries_that_are_no_origins(entry: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        read_check_origin([entry])


@pytest.mark.parametrize("check", [None, 1, "http://a.com", [1], {"a": 1}.items()])
def test_what_check_origin_cannot_be(check: Any) -> None:
    with pytest.raises(TypeError, match="check_origin is"):
        read_check_origin(check)
