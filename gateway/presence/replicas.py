"""Which replicas there are, and how they are: up, down, gone for good. Pure.

Of a replica on this node the kernel knows whether it lives, so its silence means nothing: it may be busy, or stopped
for a moment, and nobody is to leave and join for that. One on another node is judged by its silence, in beats of our
own, so that a pause of ours is blamed on nobody.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

DOWN_BEATS: Final = 20
"""Beats without a word after which a replica of another node is down: 30 s (Phoenix's `down_period`)."""
GONE_BEATS: Final = 800
"""Beats without a word after which it is forgotten: 20 minutes (Phoenix's `permdown_period`)."""


class Turn(Enum):
    """What has become of a replica."""

    UP = auto()
    DOWN = auto()
    GONE = auto()


@dataclass
class _Replica:
    watched: bool
    silent: int = 0
    up: bool = True


class Replicas:
    """All replicas but one's own."""

    def __init__(self, down_beats: int = DOWN_BEATS, gone_beats: int = GONE_BEATS) -> None:
        """Raises ValueError for limits that make no sense."""
        if down_beats < 2:
            raise ValueError("down_beats is at least 2: a replica may always be silent for a beat")
        if gone_beats <= down_beats:
            raise ValueError("gone_beats is more than down_beats: a replica is down before it is gone")
        self._down_beats = down_beats
        self._gone_beats = gone_beats
        self._replicas: dict[str, _Replica] = {}

    def __contains__(self, name: object) -> bool:
        """Whether it is known, up or down."""
        return name in self._replicas

    def names(self) -> list[str]:
        """Those that are known."""
        return list(self._replicas)

    def is_up(self, name: str) -> bool:
        """Whether it is known and up."""
        replica = self._replicas.get(name)
        return replica is not None and replica.up

    def heard(self, name: str, *, watched: bool) -> Turn | None:
        """It spoke; UP if it was unknown or down. `watched`: its death will be told, so its silence does not count."""
        replica = self._replicas.get(name)
        if replica is None:
            self._replicas[name] = _Replica(watched)
            return Turn.UP
        replica.silent = 0
        if replica.up:
            return None
        replica.up = True
        return Turn.UP

    def beat(self) -> list[tuple[str, Turn]]:
        """A beat of our own clock: who has been silent for too long."""
        turns = []
        for name, replica in list(self._replicas.items()):
            if replica.watched:
                continue
            replica.silent += 1
            if replica.silent >= self._gone_beats:
                self.forget(name)
                turns.append((name, Turn.GONE))
            elif replica.up and replica.silent >= self._down_beats:
                replica.up = False
                turns.append((name, Turn.DOWN))
        return turns

    def lost(self, name: str) -> bool:
        """It is out of sight, with its node: down until it is heard again. Answers whether it was up."""
        replica = self._replicas.get(name)
        if replica is None or replica.watched or not replica.up:
            return False
        replica.up = False
        replica.silent = max(replica.silent, self._down_beats)
        return True

    def forget(self, name: str) -> bool:
        """It is dead, or has said that it goes; answers whether it was known."""
        return self._replicas.pop(name, None) is not None
