"""How many connections a process can hold: its limit of open files, raised as far as it may be."""

import resource

from roost.shared.limits import RESERVED_DESCRIPTORS


def room_for_connections() -> int:
    """Raise the limit of open files to its ceiling; how many connections there is room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, hard - RESERVED_DESCRIPTORS) if hard != resource.RLIM_INFINITY else 1 << 30
