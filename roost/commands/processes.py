"""What the processes of a node use of the machine, as the system tells it to everybody on it."""

import os
from collections.abc import Iterable
from pathlib import Path

from roost.shared.measurements import Usage


def used_by(pids: Iterable[int]) -> dict[int, Usage]:
    """By process, those that can be seen; where there is no /proc, none."""
    return {pid: used for pid in pids if (used := _used(pid)) is not None}


def _used(pid: int) -> Usage | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    # proc(5): utime and stime are fields 14 and 15; what follows the name begins with field 3.
    ticks = int(fields[11]) + int(fields[12])
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), resident * os.sysconf("SC_PAGESIZE"))
