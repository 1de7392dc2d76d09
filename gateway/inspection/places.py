"""Where a method of the application's stands, for whoever is to mend it. Pure."""

from collections.abc import Callable
from typing import Any


def place(method: Callable[..., Any]) -> str:
    """Its name with its file and line: `RoomChannel.shout, /srv/app/rooms.py:14`."""
    code = getattr(method, "__code__", None)
    name = getattr(method, "__qualname__", repr(method))
    return name if code is None else f"{name}, {code.co_filename}:{code.co_firstlineno}"
