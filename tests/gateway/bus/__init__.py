"""Tests of the bus as workers see it."""
