"""How far the way to the other nodes is. Pure."""

from enum import Enum


class Linkage(Enum):
    """What a bridge has of its connection to the engine."""

    AWAY = 1
    SUBSCRIBING = 2
    """Connected; the engine has not confirmed all that we had listened to."""
    REJOINING = 3
    """We hear; the others may not hear us yet."""
    OPEN = 4
