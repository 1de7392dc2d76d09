"""How much of what other nodes publish reaches a node, since it listens to buckets and not to topics. Pure.

Members of a topic are taken to be on any node by chance, and topics to be spread over the buckets evenly.
"""

import math

from roost.shared.crossing import BUCKETS


def chance_on_a_node(members: float, nodes: int) -> float:
    """That a topic of so many members has any on a given node."""
    return 1.0 - math.pow(1.0 - 1.0 / nodes, members)


def share_of_buckets(topics: float) -> float:
    """Expected share of all buckets to which a node listens that has so many topics."""
    return 1.0 - math.pow(1.0 - 1.0 / BUCKETS, topics)


def share_heard(on_this_node: float, topics: float) -> float:
    """Share of other nodes' publishes that come to a node.

    That is what goes to topics with members here (the chance `on_this_node`), and what shares a bucket with any of the
    `topics` that are here.
    """
    return on_this_node + (1.0 - on_this_node) * share_of_buckets(topics)
