"""Clients that join a room and never read: what they ask for piles up in the server, as far as it lets it."""

import select
import time
from types import TracebackType
from typing import Final, Self

from tests.load.board import Board
from tests.load.crowd import Crowd
from tests.load.orders import Join, LoadTestFailed, Seat
from tests.load.server import Server
from tests.load.wire import blank_payload, client_frame

QUESTION_BYTES: Final = 32 * 1024
"""Of each push that asks for its payload back."""
MOST_QUESTIONS: Final = 64
"""Of each client: 2 MiB, more than the server's bound of 1 MiB and what the kernel holds on the way."""
REST: Final = 1.0
"""Seconds in which the server has read nothing more from anybody: it is full of them."""
FILL_LIMIT: Final = 120.0
"""Seconds in which that comes to pass."""
AT_ONCE: Final = 64
JOIN_LIMIT: Final = 60.0


class StuckClients:
    """So many of them, from entering the block to leaving it."""

    def __init__(self, server: Server, clients: int, room: int = 0) -> None:
        self._crowd = Crowd(server.address, server.dialect, (), Board(room + 1, 1), 0)
        self._seat = Seat(room, clients, home=False, spans=False)
        push = server.dialect.push(room, "ping", blank_payload(QUESTION_BYTES))
        self._questions = memoryview(client_frame(push, bytes(4), server.dialect.opcode) * MOST_QUESTIONS)

    def __enter__(self) -> Self:
        self._crowd.join(Join((self._seat,), AT_ONCE, JOIN_LIMIT))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crowd.hang_up()

    def fill(self) -> None:
        """Ask for much and read nothing, until the server reads no more questions. Raises LoadTestFailed."""
        asking = select.epoll()
        left = dict.fromkeys(self._crowd.sockets, self._questions)
        for descriptor in left:
            asking.register(descriptor, select.EPOLLOUT)
        deadline = time.monotonic() + FILL_LIMIT
        while left and (ready := asking.poll(REST)):
            for descriptor, _ in ready:
                rest = left[descriptor] = self._ask(descriptor, left[descriptor])
                if not rest:
                    asking.unregister(descriptor)
                    del left[descriptor]
            if time.monotonic() > deadline:
                raise LoadTestFailed(f"the server still read from clients that read nothing after {FILL_LIMIT:g} s")
        asking.close()

    def _ask(self, descriptor: int, questions: memoryview) -> memoryview:
        try:
            return questions[self._crowd.sockets[descriptor].send(questions) :]
        except BlockingIOError:
            return questions
        except OSError:
            return questions[:0]  # it was cut off, as the policy may have it
