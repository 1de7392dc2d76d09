"""An open loop measures from when a message was due, also if the generator itself was late to send it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.load.display import Display, Show
from tests.load.plan import Crowding, Work
from tests.load.scenarios import Setup, drive
from tests.load.server import Floor

TITLE: Final = "standstill"
SECONDS: Final = 3.0
STANDSTILL: Final = 1.5
SOON: Final = 1.0
"""Seconds from the order to drive to the standstill, well after the first messages."""


class Standstill(Display):
    """While messages are sent, the generator is stopped for half of the time."""

    @contextmanager
    def phase(self, title: str, total: float) -> Iterator[Show]:
        if title.endswith(TITLE):
            (generator,) = multiprocessing.active_children()
            assert generator.pid
            threading.Timer(SOON, os.kill, (generator.pid, signal.SIGSTOP)).start()
            threading.Timer(SOON + STANDSTILL, os.kill, (generator.pid, signal.SIGCONT)).start()
        with super().phase(title, total) as show:
            yield show


def test_messages_that_came_due_while_the_generator_stood_still_count_from_then() -> None:
    work = Work(TITLE, rate=50, warmup=0, seconds=SECONDS)
    (result,) = drive(Setup(Standstill()).driving(Floor()), Crowding(1, 3), work).results
    assert result.faults == []
    assert result.latency.percentile(75) / 1e9 > STANDSTILL / 4
