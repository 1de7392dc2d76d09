"""Tests of the public package and its command line."""
