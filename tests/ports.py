"""Ports for the servers of tests: none that the kernel gives to clients, and each given once."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BLOCK: Final = 128
"""Ports that a process of tests has for itself at a time."""
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_held: Final[list[socket.socket]] = []
"""A name in the kernel for each block that this process has, for as long as it lives."""


def free_port() -> int:
    """A port that nobody has, and that nobody else takes before its server does, or while that is started again.

    One that the kernel picks is soon the own port of somebody's connection.
    """
    return next(_ports)


def _free_ports() -> Iterator[int]:
    first, last = map(int, _RANGE.read_text().split())
    for block in range(10_000, 65_536 - BLOCK, BLOCK):
        if (block + BLOCK <= first or block > last) and _is_ours(block):
            yield from filter(_is_free, range(block, block + BLOCK))
    raise AssertionError("all ports of tests are in use")


def _is_ours(block: int) -> bool:
    """Take a block, unless another process of tests has it."""
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0roost tests: ports from {block}")
    except OSError:
        holder.close()
        return False
    _held.append(holder)
    return True


def _is_free(port: int) -> bool:
    """Whether no server, of whomever, listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


_ports: Final = _free_ports()
