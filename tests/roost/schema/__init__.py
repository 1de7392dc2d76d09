"""Tests of the schema of an application."""
