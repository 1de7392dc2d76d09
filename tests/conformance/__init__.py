"""Upstream's test cases, by the IDs of their list, against real processes."""
