"""Who presences belong to: channels and tasks. When one ends, however it ends, its presences do. No decisions here."""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from roost.gateway.channel import Channel

Owner = Channel[Any] | asyncio.Task[Any]
"""A channel, or a task: Phoenix's pid."""


class Owners:
    """The numbers of those who have presences in this worker."""

    def __init__(self, ended: Callable[[int], None]) -> None:
        self._ended = ended
        self._numbers: dict[Owner, int] = {}
        self._next = count(1)

    def number(self, owner: Owner) -> int:
        """An owner's number, 0 if it has none."""
        return self._numbers.get(owner, 0)

    def watch(self, owner: Owner) -> int:
        """An owner's number, given now if it has none. Raises RuntimeError if it has ended, TypeError if it is none."""
        number = self._numbers.get(owner)
        if number is not None:
            return number
        if isinstance(owner, Channel):
            owner.at_end(partial(self._end, owner))
        elif isinstance(owner, asyncio.Task):
            if owner.done():
                raise RuntimeError(f"{owner.get_name()} has ended: it cannot be present any more")
            owner.add_done_callback(self._end)
        else:
            raise TypeError(f"a presence belongs to a channel or a task, not to {owner!r}")
        number = self._numbers[owner] = next(self._next)
        return number

    def _end(self, owner: Owner) -> None:
        number = self._numbers.pop(owner, None)
        if number is not None:
            self._ended(number)
