"""The signals that ask a supervisor to stop: SIGTERM and SIGINT."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def hear_stop_signals(stop: Callable[[], object]) -> None:
    """Call `stop` whenever one comes."""
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)


def finish_undisturbed() -> None:
    """The process is stopping, and no such signal changes that any more.

    A closed loop gives signals back their default action, which is death: honcho signals the gateway as soon as the
    broker has gone, and what was ending in good order would be told as killed.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
