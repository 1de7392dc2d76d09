"""`roost scale`: tells the node, and shows how the change goes until it is over."""

import time
from typing import Final

from rich.console import Console

from roost.node import ask_node
from roost.shared.control import AskResharding, Resharding, ReshardingStatus, ScaleShards
from roost.shared.failures import CannotStart

LOOK_PERIOD: Final = 0.1
"""Seconds between two looks at how far a change is."""
SHOWN: Final = 4
"""So many of those that are waited for are named."""


def change_shards(run_dir: str, shards: int) -> None:
    """Change the number of shards and wait until that is done. Raises CannotStart when the node refuses or gives up."""
    change = ask_node(run_dir, ScaleShards(shards), ReshardingStatus)
    epoch = change.epoch
    console = Console()
    with console.status("") as line:
        while change.phase in (Resharding.PREPARING, Resharding.CHANGING_OVER):
            line.update(_progress(change))
            time.sleep(LOOK_PERIOD)
            change = ask_node(run_dir, AskResharding(), ReshardingStatus)
            if change.epoch != epoch:
                raise CannotStart("another change of the number of shards has begun since")
    if change.phase is Resharding.ABORTED:
        raise CannotStart(f"there are {change.shards_before} shards as before: {change.reason}")
    console.print(f"{change.shards_before} -> {change.shards} shards in {change.seconds:.2f} s")


def _progress(change: ReshardingStatus) -> str:
    named = ", ".join(change.waits_for[:SHOWN])
    more = len(change.waits_for) - SHOWN
    waiting = f", waiting for {named}{f' and {more} more' if more > 0 else ''}" if named else ""
    return f"{change.shards_before} -> {change.shards} shards: {change.phase.value}, {change.seconds:.1f} s{waiting}"
