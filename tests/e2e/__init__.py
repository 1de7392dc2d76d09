"""Tests on real nodes: real processes, real sockets, the official client."""
