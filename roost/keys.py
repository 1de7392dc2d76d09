"""Keys that are pressed while a command runs, one at a time and without the return key."""

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator


@contextlib.contextmanager
def pressed(key: str) -> Iterator[asyncio.Event]:
    """An event that is set when the key is pressed. Without a terminal to type at it never is."""
    happened = asyncio.Event()
    if not sys.stdin.isatty():
        yield happened
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    loop = asyncio.get_running_loop()

    def read() -> None:
        data = os.read(descriptor, 1024)
        if key.encode() in data.lower() or not data:
            happened.set()
            loop.remove_reader(descriptor)

    tty.setcbreak(descriptor)
    loop.add_reader(descriptor, read)
    try:
        yield happened
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
