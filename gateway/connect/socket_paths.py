"""Which mount a request's path names, and what the `:name`s in it stand for. Pure."""

import re
from collections.abc import Iterable
from typing import Final, Generic, NamedTuple, TypeVar

M = TypeVar("M")

_SLASHES: Final = re.compile("//+")


class Found(NamedTuple, Generic[M]):
    """The mount, and parameters from the path, with their escapes."""

    mount: M
    params: dict[str, str]


class SocketPaths(Generic[M]):
    """Mounts by path; of several that a path names, the first that was made.

    Paths without names are looked up by a keyed hash, so that the time it takes says nothing of how near a guess was.
    """

    def __init__(self, mounts: Iterable[tuple[str, M]]) -> None:
        self._fixed: dict[str, tuple[int, M]] = {}
        self._named: list[tuple[int, list[str], M]] = []
        for place, (path, mount) in enumerate(mounts):
            if "/:" in path:
                self._named.append((place, path.split("/"), mount))
            else:
                self._fixed.setdefault(path, (place, mount))

    def find(self, path: str | None) -> Found[M] | None:
        """The mount of a path. Slashes behind it and several in a row make no odds (Plug drops empty segments)."""
        if not path:
            return None
        if "//" in path:
            path = _SLASHES.sub("/", path)
        path = path.removesuffix("/")
        fixed = self._fixed.get(path)
        given = path.split("/") if self._named else []
        for place, segments, mount in self._named:
            if fixed is not None and fixed[0] < place:
                break
            if _matches(segments, given):
                return Found(mount, _params(segments, given))
        return None if fixed is None else Found(fixed[1], {})


def _matches(segments: list[str], given: list[str]) -> bool:
    return len(segments) == len(given) and all(
        name == text or (name.startswith(":") and bool(text)) for name, text in zip(segments, given, strict=True)
    )


def _params(segments: list[str], given: list[str]) -> dict[str, str]:
    """Names that begin with an underscore are dropped, as in Phoenix."""
    return {
        name[1:]: text
        for name, text in zip(segments, given, strict=True)
        if name.startswith(":") and not name.startswith(":_")
    }
