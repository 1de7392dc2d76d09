"""Tests that do what the guides say."""
