"""Who sends into a room: one of its members, so that its messages keep their order."""

import socket
from itertools import repeat

from tests.load.board import Board
from tests.load.room import Room
from tests.load.wire import StampedPush


class Speaker:
    """Sends numbered messages into a room, and enters them into its books."""

    __slots__ = ("_board", "_connection", "_push", "_unsent", "complete", "room")

    def __init__(self, room: Room, connection: socket.socket, push: StampedPush, board: Board | None) -> None:
        """Only if other processes look at the room, they find on a board what was sent into it."""
        self.room = room
        self.complete = 0
        """Messages that every member has received, wherever it is seated."""
        self._connection = connection
        self._push = push
        self._board = board
        self._unsent = b""

    def say(self, due: int, count: int = 1) -> bool:
        """Send messages that are due; returns False if the kernel would not take them all, then `go_on` is needed."""
        room = self.room
        first = room.sent + 1
        room.sent += count
        if self._board is not None:
            self._board.note_sent(room.number, room.sent)
        frame = self._push.frame
        if count == 1:
            room.dues.append(due)
            self._unsent += frame(due, first)
        else:
            room.dues.extend(repeat(due, count))
            self._unsent += b"".join([frame(due, number) for number in range(first, first + count)])
        return self.go_on()

    def go_on(self) -> bool:
        """Send what is left; returns whether all is sent. What a broken connection does not take is never sent."""
        try:
            sent = self._connection.send(self._unsent)
        except BlockingIOError:
            return False
        except OSError:
            sent = len(self._unsent)
        self._unsent = self._unsent[sent:]
        return not self._unsent
