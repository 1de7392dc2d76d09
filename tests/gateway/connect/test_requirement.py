"""Versions and requirements, as Elixir's `Version` answers them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.gateway.connect.requirement import Requirement, parse_version

ORDER = [
    "1.0.0-0",
    "1.0.0-1",
    "1.0.0-11",
    "1.0.0-a",
    "1.0.0-a.1",
    "1.0.0-a.b",
    "1.0.0-b",
    "1.0.0",
    "1.0.1-rc.0",
    "1.1.0",
]
"""https://semver.org, version 2.0.0, section 11."""


def matches(version: str, requirement: str) -> bool:
    parsed = parse_version(version)
    assert parsed is not None
    return Requirement.parse(requirement).matches(parsed)


def test_versions_come_in_order() -> None:
    versions = [parse_version(text) for text in ORDER]
    assert None not in versions
    assert versions == sorted(versions)  # type: ignore[type-var]
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize(
    ("requirement", "inside", "outside"),
    [
        (
            "~> 2.0.0",
            ["2.0.0", "2.0.9", "2.0.1-rc.0", "2.0.0+b"],
            ["1.9.9", "2.1.0", "2.0.0-rc.1", "2.1.0-dev", "3.0.0"],
        ),
        ("~> 2.1", ["2.1.0", "2.9.0"], ["2.0.9", "3.0.0", "3.0.0-dev"]),
        ("~> 2.1.3-rc.1", ["2.1.3-rc.1", "2.1.3", "2.1.4"], ["2.1.3-rc.0", "2.2.0"]),
        (">= 1.0.0 and < 3.0.0", ["1.0.0", "2.9.9", "3.0.0-rc.0"], ["0.9.0", "3.0.0"]),
        ("== 1.2.3 or ~> 4.0", ["1.2.3", "4.7.0"], ["1.2.4", "5.0.0"]),
        ("1.2.3", ["1.2.3"], ["1.2.4"]),
        ("!= 1.2.3", ["1.2.4"], ["1.2.3"]),
        ("> 1.0.0", ["1.0.1"], ["1.0.0"]),
        ("<= 1.0.0", ["1.0.0"], ["1.0.1"]),
    ],
)
def test_requirements(requirement: str, inside: list[str], outside: list[str]) -> None:
    assert [version for version in inside if not matches(version, requirement)] == []
    assert [version for version in outside if matches(version, requirement)] == []


@pytest.mark.parametrize(
    "text", ["", "~>", "2", "2.0", "~> 2", ">= 2.0", "~> 02.0.0", "=> 1.0.0", "1.0.0 and", "v1.0.0"]
)
def test_what_is_no_requirement(text: str) -> None:
    with pytest.raises(ValueError, match="is no requirement such as"):
        Requirement.parse(text)


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{1,30}\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z0-9.]{1,5})?", fullmatch=True))
def test_any_text_is_a_version_or_none(text: str) -> None:
    version = parse_version(text)
    assert version is None or version[0] == int(text.split(".", maxsplit=1)[0])


def test_a_version_of_thousands_of_digits_is_none() -> None:
    assert parse_version("9" * 5000 + ".0.0") is None
