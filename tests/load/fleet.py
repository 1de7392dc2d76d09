"""The generator processes, as the one that started them sees them."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Final, Self

from tests.load.board import Board
from tests.load.dialects.dialect import Dialect
from tests.load.generator import run_generator
from tests.load.orders import Address, Answer, LoadTestFailed, Order, Trouble

TICK: Final = 0.1
"""Seconds between two looks at what the processes do meanwhile."""
STOP_LIMIT: Final = 5.0
"""Seconds in which a process ends that has no more orders."""
SOURCES: Final = tuple(f"127.0.0.{number}" for number in range(1, 17))
MOST_FROM_ONE_ADDRESS: Final = 20_000
"""An address has 28,000 ports for each target, and the kernel searches long for the last ones: beyond that, clients
connect from several."""

Tick = Callable[[], None]


class Fleet:
    """Generator processes that share a board."""

    def __init__(self, address: Address, dialect: Dialect, clients: int, processes: int, board: Board) -> None:
        sources = SOURCES if clients > MOST_FROM_ONE_ADDRESS else ()
        self.board = board
        self._pipes: list[Connection[Any, Any]] = []
        self._processes: list[BaseProcess] = []
        context = multiprocessing.get_context("spawn")
        for number in range(processes):
            ours, theirs = context.Pipe()
            told = theirs, address, dialect, sources, board, number
            process = context.Process(target=run_generator, args=told, daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            self._answer(pipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in self._pipes:
            pipe.close()
        deadline = time.monotonic() + STOP_LIMIT
        for process in self._processes:
            if error is not None:
                process.terminate()
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def carry_out(self, orders: Sequence[Order], limit: float, tick: Tick) -> list[Answer]:
        """One order for each process, from the first on, carried out at the same time.

        `tick` is called about ten times a second meanwhile. Raises LoadTestFailed if one of them cannot, or if the
        time is up.
        """
        waiting = dict(enumerate(self._pipes[: len(orders)]))
        for number, order in enumerate(orders):
            waiting[number].send(order)
        answers: dict[int, Answer] = {}
        deadline = time.monotonic() + limit
        while waiting:
            ready = wait(list(waiting.values()), TICK)
            for number in [number for number, pipe in waiting.items() if pipe in ready]:
                answers[number] = self._answer(waiting.pop(number))
            tick()
            if time.monotonic() > deadline:
                raise LoadTestFailed(f"{len(waiting)} generator processes had not finished after {limit:g} s")
        return [answers[number] for number in range(len(orders))]

    def _answer(self, pipe: "Connection[Any, Any]") -> Answer:
        try:
            answer: Answer = pipe.recv()
        except (EOFError, ConnectionResetError):
            raise LoadTestFailed("a generator process died") from None
        if isinstance(answer, Trouble):
            raise LoadTestFailed(answer.reason)
        return answer
