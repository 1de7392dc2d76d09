"""Versions and what they must be like, as Elixir's `Version` has it: `~> 2.0.0`, `>= 1.0.0 and < 3.0.0`. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER: Final = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_EXTRA: Final = rf"(?:-(?P<pre>{_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION: Final = re.compile(rf"(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})\.(?P<patch>{_NUMBER}){_EXTRA}")
"""https://semver.org, version 2.0.0."""
_CONDITION: Final = re.compile(
    rf"(?P<operator>~>|==|!=|>=|<=|>|<)?\s*"
    rf"(?P<version>(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})(?:\.(?P<patch>{_NUMBER}){_EXTRA})?)"
)
MAX_DIGITS: Final = 20
"""Digits of a number in a version; a longer one is no version."""

Version = tuple[int, int, int, tuple[tuple[int, int, str], ...]]
"""Comes before another one exactly if its tuple does. A pre-release comes before its release."""
_RELEASE: Final = ((2, 0, ""),)
_FIRST_PRE: Final = ((0, 0, ""),)


def parse_version(text: str) -> Version | None:
    """The version, None if the text is no `MAJOR.MINOR.PATCH[-pre][+build]`. What was built of it makes no odds."""
    match = _VERSION.fullmatch(text)
    if match is None or any(len(digits) > MAX_DIGITS for digits in re.findall(r"[0-9]+", text)):
        return None
    return int(match["major"]), int(match["minor"]), int(match["patch"]), _pre(match["pre"])


@dataclass(frozen=True, slots=True, eq=False)
class Requirement:
    """Conditions on a version."""

    text: str
    _any_of: tuple[tuple[tuple[str, Version], ...], ...]

    @classmethod
    def parse(cls, text: str) -> "Requirement":
        """`~>`, `==`, `!=`, `>`, `>=`, `<`, `<=` and a version, joined by `and` and `or`. Raises ValueError."""
        alternatives = [
            tuple(bound for condition in re.split(r"\s+and\s+", part) for bound in _bounds(condition.strip(), text))
            for part in re.split(r"\s+or\s+", text)
        ]
        return cls(text, tuple(alternatives))

    def matches(self, version: Version) -> bool:
        """Whether the version meets it."""
        return any(all(_holds(operator, version, bound) for operator, bound in all_of) for all_of in self._any_of)


def _bounds(condition: str, text: str) -> list[tuple[str, Version]]:
    match = _CONDITION.fullmatch(condition)
    if match is None or (match["patch"] is None and match["operator"] != "~>"):
        raise ValueError(f"{text!r} is no requirement such as '~> 2.0.0' or '>= 1.0.0 and < 3.0.0'")
    major, minor = int(match["major"]), int(match["minor"])
    version: Version = (major, minor, int(match["patch"] or 0), _pre(match["pre"]))
    if match["operator"] != "~>":
        return [(match["operator"] or "==", version)]
    below: Version = (major, minor + 1, 0, _FIRST_PRE) if match["patch"] else (major + 1, 0, 0, _FIRST_PRE)
    return [(">=", version), ("<", below)]


def _holds(operator: str, version: Version, bound: Version) -> bool:
    match operator:
        case "==":
            return version == bound
        case "!=":
            return version != bound
        case ">":
            return version > bound
        case ">=":
            return version >= bound
        case "<":
            return version < bound
        case _:
            return version <= bound


def _pre(text: str | None) -> tuple[tuple[int, int, str], ...]:
    """Numbers come before names; what comes after the last part counts least. A release comes after all of them."""
    if text is None:
        return _RELEASE
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in text.split("."))
