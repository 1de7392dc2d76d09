"""One presence, as the replicas keep it and as it travels between them. Pure."""

from typing import NamedTuple

import msgspec


class Entry(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One presence: an owner, such as a channel, is in a topic under a key. Its dot names it for ever."""

    replica: str
    number: int
    topic: str
    key: str
    owner: int
    """Unique in its replica; with it the metas of one key have an order."""
    meta: bytes
    """JSON text of an object, `phx_ref` included, as it goes to clients."""

    @property
    def dot(self) -> tuple[str, int]:
        """Names the entry; an update makes another one."""
        return self.replica, self.number

    @property
    def place(self) -> tuple[str, int]:
        """Whose entry it is: an update keeps its place."""
        return self.replica, self.owner


def in_order(entry: Entry) -> tuple[str, int, int]:
    """By which the metas of one key are sorted."""
    return entry.replica, entry.owner, entry.number


class Row(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An entry under way, below the name of its replica."""

    number: int
    topic: str
    key: str
    owner: int
    meta: bytes


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A part of a replica's knowledge: a delta, or all that another one lacks.

    What it covers and neither carries nor counts among `kept` is gone.
    """

    clock: dict[str, int] = {}
    """Covers all up to these numbers."""
    clouds: dict[str, list[int]] = {}
    """Covers these numbers, too."""
    rows: dict[str, list[Row]] = {}
    kept: dict[str, bytes] = {}
    """Numbers of entries that are still there and not carried, for the receiver has them; packed."""


class Joined(NamedTuple):
    """An entry is shown from now on."""

    entry: Entry


class Left(NamedTuple):
    """An entry is not shown any more."""

    entry: Entry


Change = Joined | Left
