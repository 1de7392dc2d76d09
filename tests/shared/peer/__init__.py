"""Tests of a peer's side of the bus."""
