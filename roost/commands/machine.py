"""Looks at the machine for what the defaults of settings depend on."""

import os
import socket
import tempfile

from roost.shared.config import Machine


def cores() -> int:
    """Cores that this machine lets us use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this_machine() -> Machine:
    """What the defaults depend on."""
    return Machine(
        cores=cores(),
        user=os.getuid(),
        temporary_directory=tempfile.gettempdir(),
        runtime_directory=os.environ.get("XDG_RUNTIME_DIR"),
        honcho="HONCHO_PROCESS_NAME" in os.environ,
        host_name=socket.gethostname(),
    )
