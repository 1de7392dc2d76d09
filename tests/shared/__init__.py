"""Tests of what the broker and the gateway share."""
