"""Whether a child still does its work: it is asked again and again, and its silence is counted.

The silence is counted in beats of the one who asks, not by the clock: a supervisor that was itself suspended, with all
its children or without them, has counted one beat and blames nobody.
"""

import asyncio
import contextlib
import math
from typing import Final

from roost.shared.control import Ping
from roost.shared.link import Link, Refused

BEATS: Final = 10
"""So many beats are one stall limit: a child is asked once a beat."""
START_LIMIT: Final = 60.0
"""Seconds that a child may be silent before it is ready: it may have a slow application to import."""


async def silence(link: Link, ready: asyncio.Event, stall_limit: float) -> float:
    """Ask a child until it stops answering; returns the seconds that it was given. Raises LinkClosed.

    Never later than `stall_limit` seconds after it stopped, and never for less than nine tenths of them.
    """
    beat = stall_limit / BEATS
    while True:
        question = asyncio.ensure_future(link.ask(Ping(), bool, None))
        try:
            if limit := await _unanswered(question, ready, beat):
                return limit
        finally:
            question.cancel()
        with contextlib.suppress(Refused):
            question.result()
        await asyncio.sleep(beat)


async def _unanswered(question: asyncio.Future[bool], ready: asyncio.Event, beat: float) -> float:
    """Wait for the answer: 0, or the seconds that have passed without one."""
    # A child that stopped just after an answer was silent for one beat before it was asked.
    starting = working = 1
    while not (await asyncio.wait([question], timeout=beat))[0]:
        if ready.is_set():
            working += 1
        else:
            starting += 1
        if working >= BEATS or starting >= max(BEATS, math.ceil(START_LIMIT / beat)):
            return (working if ready.is_set() else starting) * beat
    return 0
