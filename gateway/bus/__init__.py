"""How workers publish and subscribe: by way of the shards, within one process, to other nodes, from outside."""
