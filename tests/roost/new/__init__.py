"""Tests of what roost new makes."""
