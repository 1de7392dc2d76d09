"""Presence: who is where, known in every worker. `presence.py` is what applications derive from."""
