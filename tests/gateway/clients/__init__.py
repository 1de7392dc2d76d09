"""Tests of clients and their channels."""
