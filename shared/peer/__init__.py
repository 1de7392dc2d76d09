"""A peer's side of the bus: whoever subscribes or publishes in a node, a worker or a bridge."""
