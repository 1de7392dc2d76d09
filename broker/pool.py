"""What may become of the shard map, one step at a time (rules M1 to M7 of the delivery protocol). Pure."""

from roost.shared.shard_map import ShardMap, Slot


def fresh_map(previous: ShardMap, shards: int) -> ShardMap:
    """A new epoch alone, for a node on which no worker lives; its slots have yet to be started."""
    epoch = previous.next_epoch
    return ShardMap(previous.version + 1, epoch + 1, epoch, {epoch: (0,) * shards})


def restarted(current: ShardMap, slot: Slot) -> ShardMap:
    """The slot gets its next incarnation (M1). Written before the process is started."""
    incarnations = list(current.epochs[slot.epoch])
    incarnations[slot.number] += 1
    epochs = {**current.epochs, slot.epoch: tuple(incarnations)}
    return ShardMap(current.version + 1, current.next_epoch, current.publish, epochs)
