"""The books of a node at the end of a verification: of every shard and worker, and who did not tell them."""

import time
from pathlib import Path
from typing import Final

from roost.commands.node import ask_node
from roost.shared.control import AskStatus, NodeStatus
from roost.shared.failures import CannotStart
from roost.shared.run_directory import RunDirectory

SILENCE_LIMIT: Final = 20.0
"""Seconds in which all must have told their books: twice what a stalled process may take."""
LOOK_PERIOD: Final = 0.5


def wrong_books(run_dir: str) -> list[str]:
    """Whose books do not balance, and who did not tell them, in words. Raises CannotStart if the node is gone."""
    deadline = time.monotonic() + SILENCE_LIMIT
    while True:
        status = ask_node(run_dir, AskStatus(), NodeStatus)
        if status.gateway is None and RunDirectory(Path(run_dir)).holder("gateway") is None:
            raise CannotStart(f"the node in {run_dir} has no gateway any more")
        silent = silent_keepers(status)
        if not silent or time.monotonic() > deadline:
            return [f"{name} did not tell its books" for name in silent] + unbalanced(status)
        time.sleep(LOOK_PERIOD)


def silent_keepers(status: NodeStatus) -> list[str]:
    """Who keeps books and did not answer; with the gateway, all its workers."""
    silent = {name for name in status.silent if name != "bridge"}
    silent |= {"gateway"} if status.gateway is None else set(status.gateway.silent)
    return sorted(silent)


def unbalanced(status: NodeStatus) -> list[str]:
    """The shards and workers whose books do not balance, in words."""
    workers = status.gateway.workers if status.gateway is not None else ()
    books = [(f"shard {shard.slot}", shard.books.missing()) for shard in status.shards]
    books += [(f"worker {worker.number}", worker.books.missing()) for worker in workers]
    return [f"the books of {name} do not balance: {missing:,} deliveries" for name, missing in books if missing]
