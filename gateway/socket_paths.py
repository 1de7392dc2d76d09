"""Which mount a request's path names, and what the `:name`s in it stand for. Pure."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

M = TypeVar("M")


class Found(NamedTuple, Generic[M]):
    """The mount, and parameters from the path, with their escapes."""

    mount: M
    params: dict[str, str]


class SocketPaths(Generic[M]):
    """Mounts by path, asked in the order in which they were made."""

    def __init__(self, mounts: Iterable[tuple[str, M]]) -> None:
        self._mounts = [(_segments(path), mount) for path, mount in mounts]

    def find(self, path: str | None) -> Found[M] | None:
        """The first mount whose path it is; with a slash behind it, too."""
        if not path:
            return None
        given = _segments(path)
        for segments, mount in self._mounts:
            if len(segments) == len(given) and all(
                name == text or (name.startswith(":") and text) for name, text in zip(segments, given, strict=True)
            ):
                return Found(mount, _params(segments, given))
        return None


def _segments(path: str) -> list[str]:
    return path.removesuffix("/").split("/")


def _params(segments: list[str], given: list[str]) -> dict[str, str]:
    """Names that begin with an underscore are dropped, as in Phoenix."""
    return {
        name[1:]: text
        for name, text in zip(segments, given, strict=True)
        if name.startswith(":") and not name.startswith(":_")
    }
