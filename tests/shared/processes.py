"""Real processes in tests: started from the repository's root, waited for, killed."""

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.limits import LIMIT

ROOT: Final = Path(__file__).parent.parent.parent


@contextmanager
def running(module: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python process that runs a module; it is dead when the block is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # so that a line is not hidden behind the one that was read
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: "subprocess.Popen[bytes]") -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], LIMIT)[0], "it says nothing"
    return process.stdout.readline().decode().rstrip("\n")


def dies(pid: int, limit: float = LIMIT) -> bool:
    """Whether a process, anybody's child, is dead within so many seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], limit)[0])
    finally:
        os.close(descriptor)


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory whose path leaves room for sockets, which pytest's does not always."""
    with tempfile.TemporaryDirectory(prefix="roost-") as path:
        yield Path(path)
