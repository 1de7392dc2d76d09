"""Nodes that act as one: what a broadcast to all of them costs, how many one bridge carries, what interest costs."""
