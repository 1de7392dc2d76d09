"""One generator process: carries out orders until there are no more."""

import contextlib
import ctypes
import gc
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

from tests.load.board import Board
from tests.load.crowd import Crowd
from tests.load.dialects.dialect import Dialect
from tests.load.heartbeats import Vigil
from tests.load.orders import Address, Answer, Drive, HangUp, Hold, Join, LoadTestFailed, Order, Prepare, Trouble, Visit
from tests.load.traffic import Traffic
from tests.load.visitors import Visits

_PR_SET_PDEATHSIG = 1


class Generator:
    """The clients of this process and what they do."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._traffic: Traffic | None = None

    def carry_out(self, order: Order) -> Answer:
        """Raises LoadTestFailed."""
        match order:
            case Join():
                return self._crowd.join(order)
            case HangUp():
                self._crowd.hang_up()
            case Prepare():
                self._traffic = Traffic(self._crowd, order)
                self._traffic.prepare()
            case Drive():
                assert self._traffic is not None
                return self._traffic.run(order)
            case Hold():
                return Vigil(self._crowd, order).run()
            case Visit():
                return Visits(self._crowd, order).run()
        return None


def run_generator(
    orders: "Connection[Any, Any]",
    address: Address,
    dialect: Dialect,
    sources: tuple[str, ...],
    board: Board,
    process: int,
) -> None:
    """Be a generator process until the other end of the pipe closes, or its process dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    gc.disable()  # it would look at every client again and again, and finds nothing: there are no cycles
    generator = Generator(Crowd(address, dialect, sources, board, process))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        orders.send(None)  # ready
        while True:
            order = orders.recv()
            try:
                answer = generator.carry_out(order)
            except LoadTestFailed as failure:
                answer = Trouble(str(failure))
            orders.send(answer)
