"""Tests of the bridge between nodes."""
