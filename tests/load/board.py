"""Numbers that all processes of a load test see at once: progress for the eye, and the books of shared rooms."""

from ctypes import c_int64
from enum import IntEnum
from multiprocessing.sharedctypes import RawArray


class Tally(IntEnum):
    """What each generator process counts."""

    JOINED = 0
    DELIVERED = 1
    ANSWERED = 2
    FINISHED = 3
    """How many drives it has ended, so that nobody waits for messages that will not be sent."""


class Board:
    """Cells in shared memory; each has one process that writes it."""

    def __init__(self, rooms: int, processes: int) -> None:
        self.processes = processes
        self._cells = RawArray(c_int64, len(Tally) * processes + rooms * (1 + processes))
        self._rooms = len(Tally) * processes

    def note(self, tally: Tally, process: int, value: int) -> None:
        self._cells[tally * self.processes + process] = value

    def noted(self, tally: Tally) -> list[int]:
        """The count of each process."""
        start = tally * self.processes
        return list(self._cells[start : start + self.processes])

    def clear_rooms(self) -> None:
        """Before rooms are prepared; nobody may be driving."""
        for cell in range(self._rooms, len(self._cells)):
            self._cells[cell] = 0

    def note_sent(self, room: int, messages: int) -> None:
        """To be noted before the message leaves: then whoever reads it knows that no more has been sent."""
        self._cells[self._rooms + room * (1 + self.processes)] = messages

    def sent(self, room: int) -> int:
        return self._cells[self._rooms + room * (1 + self.processes)]

    def note_done(self, room: int, process: int, messages: int) -> None:
        """All members of the room that this process has seated have received so many."""
        self._cells[self._rooms + room * (1 + self.processes) + 1 + process] = messages

    def done(self, room: int) -> int:
        """What all members of a room have received that has members in every process."""
        start = self._rooms + room * (1 + self.processes) + 1
        return min(self._cells[start : start + self.processes])
