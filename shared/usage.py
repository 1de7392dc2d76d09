"""Asks the system what this process uses of its machine."""

import os
import time
from pathlib import Path

from roost.shared.measurements import Usage


def own_usage() -> Usage:
    """What this process uses now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        pages = 0
    return Usage(time.process_time(), pages * os.sysconf("SC_PAGESIZE"))
