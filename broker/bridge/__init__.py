"""The way to the other nodes of a cluster, over an engine such as NATS or Redis."""
