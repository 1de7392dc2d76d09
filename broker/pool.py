"""What may become of the shard map, one step at a time (rules M1 to M7 of the delivery protocol). Pure.

A change of the number of shards is a new epoch: a whole new set of slots beside the old one::

    one epoch --grow--> preparing --commit--> changing over --retire--> one epoch
                            |
                          abort --> one epoch (the old one)

While it is *preparing*, the new slots fill themselves from the workers, by the path that a restarted shard takes. While
it is *changing over*, each worker goes to publish in the new epoch by itself, when nothing of it is under way in the
old one. Whoever carries a step out writes the map first and acts then: what must be done follows from the map and from
who lives, so a broker that dies between the two loses nothing.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from enum import Enum, auto

from roost.shared.shard_map import ShardMap, Slot


class Phase(Enum):
    """Where a map stands."""

    SETTLED = auto()
    """One epoch."""
    PREPARING = auto()
    """Two epochs; workers publish in the old one. May be aborted."""
    CHANGING_OVER = auto()
    """Two epochs; workers go to publish in the new one. There is no way back."""


def phase(current: ShardMap) -> Phase:
    """Where the map stands."""
    if len(current.epochs) < 2:
        return Phase.SETTLED
    return Phase.CHANGING_OVER if current.publish == newest(current) else Phase.PREPARING


def newest(current: ShardMap) -> int:
    """The newest epoch of the map."""
    return max(current.epochs)


def fresh(previous: ShardMap, shards: int) -> ShardMap:
    """A new epoch alone, for a node on which no worker lives; its slots have yet to be started."""
    epoch = previous.next_epoch
    return ShardMap(previous.version + 1, epoch + 1, epoch, {epoch: (0,) * shards})


def restarted(current: ShardMap, slot: Slot) -> ShardMap:
    """The slot gets its next incarnation (M1). Written before the process is started."""
    incarnations = list(current.epochs[slot.epoch])
    incarnations[slot.number] += 1
    return _changed(current, epochs={**current.epochs, slot.epoch: tuple(incarnations)})


def grown(current: ShardMap, shards: int) -> ShardMap:
    """An epoch of so many slots beside the one that there is (M2). The slots have yet to be started."""
    assert phase(current) is Phase.SETTLED
    epoch = current.next_epoch
    return _changed(current, next_epoch=epoch + 1, epochs={**current.epochs, epoch: (0,) * shards})


def committed(current: ShardMap) -> ShardMap:
    """Workers are to publish in the new epoch (M3)."""
    assert phase(current) is Phase.PREPARING
    return _changed(current, publish=newest(current))


def aborted(current: ShardMap) -> ShardMap:
    """The new epoch is given up (M4): only before the commit, for after it somebody may publish there."""
    assert phase(current) is Phase.PREPARING
    return _changed(current, epochs={current.publish: current.epochs[current.publish]})


def retired(current: ShardMap) -> ShardMap:
    """The old epoch is no more (M5)."""
    assert phase(current) is Phase.CHANGING_OVER
    return _changed(current, epochs={current.publish: current.epochs[current.publish]})


def next_map(
    current: ShardMap,
    opened: AbstractSet[tuple[Slot, int]],
    publishing: Mapping[int, int],
    live_workers: AbstractSet[int],
) -> ShardMap | None:
    """The next step of a change of shards, None while something is to be waited for.

    `opened` are the incarnations that have said that they are open, `publishing` is the epoch in which each worker
    says that it publishes. Live workers are to be listed just before: one that has not reported counts as behind.
    """
    match phase(current):
        case Phase.PREPARING if not unopened(current, opened):
            return committed(current)
        case Phase.CHANGING_OVER if not behind(current, publishing, live_workers):
            return retired(current)
    return None


def unopened(current: ShardMap, opened: AbstractSet[tuple[Slot, int]]) -> set[Slot]:
    """Slots of the newest epoch whose incarnation has not said that it is open."""
    epoch = newest(current)
    return {slot for slot in current.slots() if slot.epoch == epoch} - {
        slot for slot, incarnation in opened if current.incarnation(slot) == incarnation
    }


def behind(current: ShardMap, publishing: Mapping[int, int], live_workers: AbstractSet[int]) -> set[int]:
    """Live workers that do not yet say that they publish where the map says."""
    return {worker for worker in live_workers if publishing.get(worker) != current.publish}


def _changed(
    current: ShardMap,
    *,
    next_epoch: int | None = None,
    publish: int | None = None,
    epochs: dict[int, tuple[int, ...]] | None = None,
) -> ShardMap:
    return ShardMap(
        version=current.version + 1,
        next_epoch=current.next_epoch if next_epoch is None else next_epoch,
        publish=current.publish if publish is None else publish,
        epochs=current.epochs if epochs is None else epochs,
    )
