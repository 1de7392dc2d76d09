"""Tests of the gateway's processes."""
