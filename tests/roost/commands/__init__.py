"""Tests of what the commands of `roost` do."""
