"""`roost scale`: tells the node, and shows how the change goes until it is over."""

import time
from contextlib import suppress
from typing import Final, TypeVar

from rich.console import Console

from roost.commands.node import BrokerSilent, Where, ask_node
from roost.commands.progress import Progress
from roost.commands.terminal import print_json
from roost.shared.control import (
    AskResharding,
    AskWorkerChange,
    Message,
    ScaleShards,
    ScaleWorkers,
)
from roost.shared.failures import CannotStart
from roost.shared.resharding import ReshardingPhase, ReshardingStatus
from roost.shared.worker_change import WorkerChange, WorkerChangePhase

T = TypeVar("T")
LOOK_PERIOD: Final = 0.1
"""Seconds between two looks at how far a change is."""
MAX_SILENT_LOOKS: Final = 12
"""Looks in a row that a broker which is busy with the change may leave without an answer, each for 5 s; the change goes
on without whoever looks."""
SHOWN: Final = 4
"""So many of those that are waited for are named."""


def change_shards(where: Where, shards: int, *, json: bool) -> None:
    """Change the number of shards and wait until that is done. Raises CannotStart when the node refuses or gives up."""
    change = ask_node(where, ScaleShards(shards), ReshardingStatus)
    epoch = change.epoch
    with Progress(Console(stderr=json)) as progress:
        while change.phase in (ReshardingPhase.PREPARING, ReshardingPhase.CHANGING_OVER):
            progress.show(_progress(change))
            time.sleep(LOOK_PERIOD)
            change = _look(where, AskResharding(), ReshardingStatus)
            if change.epoch != epoch:
                raise CannotStart("another change of the number of shards has begun since")
    if change.phase is ReshardingPhase.ABORTED:
        raise CannotStart(f"there are {change.shards_before} shards as before: {change.reason}")
    if json:
        print_json(change)
    else:
        Console().print(f"{change.shards_before} -> {change.shards} shards in {change.seconds:.2f} s")


def change_workers(where: Where, workers: int, *, json: bool) -> None:
    """Change the number of workers and wait until that is done. Raises CannotStart as `change_shards` does."""
    change = ask_node(where, ScaleWorkers(workers), WorkerChange)
    number = change.number
    with Progress(Console(stderr=json)) as progress:
        while change.phase in (WorkerChangePhase.STARTING, WorkerChangePhase.DRAINING):
            progress.show(_worker_progress(change))
            time.sleep(LOOK_PERIOD)
            change = _look(where, AskWorkerChange(), WorkerChange)
            if change.number != number:
                raise CannotStart("another change of the number of workers has begun since")
    if change.phase is WorkerChangePhase.ABORTED:
        raise CannotStart(f"there are {change.workers_before} workers as before: {change.reason}")
    print_json(change) if json else _say_workers(change)


def _look(where: Where, question: Message, answer: type[T]) -> T:
    """How far a change is. Raises CannotStart as `ask_node` does."""
    for _ in range(MAX_SILENT_LOOKS - 1):
        with suppress(BrokerSilent):
            return ask_node(where, question, answer)
    return ask_node(where, question, answer)


def _say_workers(change: WorkerChange) -> None:
    killed = f"; {', '.join(change.killed)} had not left in time and was killed" if change.killed else ""
    Console().print(
        f"{change.workers_before} -> {change.workers} workers in {change.seconds:.2f} s, "
        f"{change.clients:,} clients sent to the others{killed}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _worker_progress(change: WorkerChange) -> str:
    clients = f", {change.left:,} of {change.clients:,} clients left" if change.clients else ""
    return f"{change.workers_before} -> {change.workers} workers: {change.phase.value}, {change.seconds:.1f} s{clients}"


def _progress(change: ReshardingStatus) -> str:
    named = ", ".join(change.waits_for[:SHOWN])
    more = len(change.waits_for) - SHOWN
    waiting = f", waiting for {named}{f' and {more} more' if more > 0 else ''}" if named else ""
    return f"{change.shards_before} -> {change.shards} shards: {change.phase.value}, {change.seconds:.1f} s{waiting}"
