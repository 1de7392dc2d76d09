"""What the kernel says about processes and the machine: /proc."""

import contextlib
import os
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")


def cpu_seconds(pid: int) -> float:
    """What all threads of a process have used, to the nanosecond; its end if it is gone.

    The scheduler's own account: the one in `stat` counts in hundredths of a second.
    """
    total = 0
    with contextlib.suppress(OSError):
        for thread in (_PROC / str(pid) / "task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def pss_bytes(pid: int) -> int:
    """A process's memory, with its share of what it shares; 0 if it is gone."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def family(pid: int) -> list[int]:
    """A process and all that it has started, and they, as far as they live."""
    members = [pid]
    for member in members:
        with contextlib.suppress(OSError):
            for thread in (_PROC / str(member) / "task").iterdir():
                members += map(int, (thread / "children").read_text().split())
    return members


def busy_seconds() -> float:
    """What all processes on all cores have used, interrupts and what the host took away included."""
    user, nice, system, _, _, hard, soft, stolen = map(int, (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + hard + soft + stolen) / _TICKS


def cores() -> int:
    """The cores that we may use."""
    return len(os.sched_getaffinity(0))
