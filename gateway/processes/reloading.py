"""For development: starts the workers anew whenever a source file changes. Shards stay, and clients join again."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

from roost.shared.failures import CannotStart

LOOK_PERIOD: Final = 0.3
"""Seconds between two looks at the files."""
MAX_FILES: Final = 20_000
"""Files that are looked at; more are not."""
SUFFIXES: Final = frozenset({".py", ".html", ".css", ".js", ".json", ".toml"})
"""Of the files that count as source."""
_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "venv"})

Snapshot = dict[str, int]
"""When each file was last changed, in nanoseconds."""

_log = logging.getLogger("roost.gateway")


async def reload_on_change(root: Path, restart: Callable[[], Awaitable[None]]) -> None:
    """Call `restart` whenever a source file below `root` was changed, made or removed. Never returns."""
    before = await asyncio.to_thread(snapshot, root)
    while True:
        await asyncio.sleep(LOOK_PERIOD)
        now = await asyncio.to_thread(snapshot, root)
        if changed := changes(before, now):
            before = await _settled(root, now)
            _log.info("%s changed: starting the workers anew", _named(changed, root))
            try:
                await restart()
            except CannotStart as error:
                _log.error("%s; waiting for the next change", error)


async def _settled(root: Path, now: Snapshot) -> Snapshot:
    """The files when nothing has changed for a moment: several are saved at once, and one in pieces."""
    while True:
        await asyncio.sleep(LOOK_PERIOD)
        before, now = now, await asyncio.to_thread(snapshot, root)
        if before == now:
            return now


def snapshot(root: Path) -> Snapshot:
    """The source files below a directory; not those in hidden directories, environments and packages of Node."""
    found: Snapshot = {}
    for path in _files(root):
        if len(found) >= MAX_FILES:
            break
        try:
            found[path] = os.stat(path).st_mtime_ns
        except OSError:
            continue  # it was removed just now
    return found


def changes(before: Snapshot, now: Snapshot) -> list[str]:
    """Files that differ."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))


def _files(root: Path) -> Iterator[str]:
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if not name.startswith(".") and name not in _SKIPPED]
        for file in files:
            if os.path.splitext(file)[1] in SUFFIXES:
                yield os.path.join(directory, file)


def _named(changed: list[str], root: Path) -> str:
    first = os.path.relpath(changed[0], root)
    return first if len(changed) == 1 else f"{first} and {len(changed) - 1} more"
