"""Which process seats whom: whole rooms where there are enough of them, else a part of each room. Pure."""

from typing import Final

from tests.load.orders import Seat

MOST_CLIENTS: Final = 18_000
"""Of one process, which may open 20,000 descriptors."""


MOST_OF_A_WORKER: Final = 15_000
"""Clients of one of the server's processes, which may open as many."""


def processes_for(clients: int) -> int:
    """How many processes are enough. On two cores the server needs, one that suffices is better than two."""
    return max(1, -(-clients // MOST_CLIENTS))


def workers_for(clients: int) -> int:
    """How many of a node's workers are enough; the kernel does not spread clients over them quite evenly."""
    return max(1, -(-clients // MOST_OF_A_WORKER))


def seats(rooms: int, members: int, processes: int) -> list[tuple[Seat, ...]]:
    """For each process what it seats."""
    if rooms >= processes:
        return [
            tuple(Seat(room, members, home=True, spans=False) for room in range(process, rooms, processes))
            for process in range(processes)
        ]
    if members < processes:
        raise ValueError(f"{rooms} rooms of {members} cannot be shared by {processes} processes")
    return [
        tuple(
            Seat(room, _share(members, process, processes), home=process == room % processes, spans=processes > 1)
            for room in range(rooms)
        )
        for process in range(processes)
    ]


def _share(members: int, process: int, processes: int) -> int:
    return members // processes + (process < members % processes)
